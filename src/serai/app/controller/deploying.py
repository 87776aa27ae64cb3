"""Gateways' Envoys deployed by the replica that leads: when something changes, until it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from random import Random
from time import monotonic

import msgspec
import structlog

from serai.api.gateway_parameters import EnvoyBootstrap
from serai.api.meta import Key
from serai.app.controller.admission import AUDIENCE
from serai.app.controller.happenings import Happenings
from serai.app.controller.xds_keys import XdsKeys
from serai.app.pipeline import Pipeline
from serai.attach.deployment import Wish
from serai.envoy.bootstrap import HostPort
from serai.envoy.pod_bootstrap import pod_bootstrap
from serai.envoy.pod_security import TOKEN_FILE, TOKEN_FOLDER, security_files
from serai.kube.access import Access, ApiError
from serai.kube.backoff import Backoff
from serai.kube.contest import Contest
from serai.kube.deployed import Deployed, Drift
from serai.kube.deployer import Deployer, NoLeaderError, digest_of
from serai.kube.deployment import Deployment, Objects, Token, objects
from serai.kube.ending import drain_path
from serai.kube.wire import Failure

log = structlog.get_logger(__name__)

AT_ONCE = 8
"""Gateways that are deployed at the same time."""

OTHERS_SECONDS = 60.0
"""After which it is looked again whether somebody else's object is still in the way."""


class Deploying:
    """Which Gateways are to be deployed, and the deploying."""

    def __init__(
        self,
        access: Access,
        pipeline: Pipeline,
        leading: Callable[[], bool],
        uid: Callable[[Key], str],
        happenings: Happenings,
        tell: Callable[[Key], None] = lambda _: None,
    ) -> None:
        """`uid` gives an object's, as the API server has it; empty: it has none such.

        `tell` hears of Gateways of which it changed whether they are lacking.
        """
        self._pipeline = pipeline
        self._leading = leading
        self._uid = uid
        self._happenings = happenings
        self._tell = tell
        self.keys: XdsKeys | None = None
        """With what xDS is served, which Envoys are to trust; None: with nothing."""
        self._random = Random()  # noqa: S311  spreads load, and guards nothing
        self._deployed = Deployed(access, self._drifted, self._random)
        self.deployer = Deployer(access, self._deployed, leading)
        self.lacking: dict[Key, str] = {}
        """The Gateways whose Envoys could not be deployed, with the API server's words."""
        self._contest = Contest()
        self._backoffs: dict[Key, Backoff] = {}
        self._tried: dict[Key, bytes] = {}
        """The digest of what was last tried to deploy."""
        self._held: dict[Key, asyncio.TimerHandle] = {}
        """Those of which the same is not tried before a while has passed.

        What became of a try is written on its Gateway, which is told us as a change of it: were
        that tried at once, one that fails in ever other words would be tried without a pause.
        """
        self._waiting: dict[Key, None] = {}
        self._busy: set[Key] = set()
        """Those that are being deployed: where one takes long, the others do not wait for it."""
        self._news = asyncio.Event()

    def look(self, gateways: Iterable[Key]) -> None:
        """These have changed."""
        self._waiting.update((key, None) for key in gateways)
        if self._waiting:
            self._news.set()

    def look_at_all(self) -> None:
        """What concerns every Gateway has changed."""
        self.look(key for key, _ in self._pipeline.inputs.gateways.items())

    def start_over(self) -> None:
        """We lead now; what others did before us is not known."""
        self.deployer.forget()
        for key in list(self._held):
            self._release(key)
        self.look_at_all()

    async def run(self, how: Deployment, xds: HostPort) -> None:
        """Deploy, while we lead, until cancelled; `xds` is where Envoys find us."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._deployed.run())
            while True:
                await self._news.wait()
                self._news.clear()
                if not self._leading():
                    self._waiting = {}
                for key in [each for each in self._waiting if each not in self._busy]:
                    if len(self._busy) < AT_ONCE:
                        del self._waiting[key]
                        self._busy.add(key)
                        tasks.create_task(self._one(key, how, xds))

    async def _one(self, key: Key, how: Deployment, xds: HostPort) -> None:
        try:
            await self._try(key, how, xds)
        finally:
            self._busy.discard(key)
            self._news.set()

    def troubles(self) -> dict[str, Failure]:
        """What of what was deployed cannot be followed now."""
        return self._deployed.troubles()

    async def _try(self, key: Key, how: Deployment, xds: HostPort) -> None:
        try:
            made = self._made(key, how, xds)
            if made is not None and self._waits(key, made):
                return
            self._release(key)
            if made is not None:
                await self._settle(key, made)
        except ApiError as error:
            self._failed(key, str(error), error.failure.retry_after)
        except NoLeaderError:
            log.info("deploy.left", gateway=str(key))
        except Exception as error:
            # Of what users may write into overlays, none may be the end of all other Gateways.
            log.exception("deploy.broken", gateway=str(key))
            self._failed(key, f"{type(error).__name__}: {error}")
        else:
            self._backoffs.pop(key, None)
            self._lacks(key, "")

    def _waits(self, key: Key, made: Objects) -> bool:
        """Whether this very thing was tried, and is not to be tried yet."""
        digest = digest_of(made)
        before, self._tried[key] = self._tried.get(key), digest
        return key in self._held and before == digest

    def _failed(self, key: Key, why: str, at_least: float = 0.0) -> None:
        backoff = self._backoffs.setdefault(key, Backoff(self._random))
        wait = max(backoff.next(), at_least)
        log.warning("deploy.failed", gateway=str(key), error=why, again_seconds=wait)
        self._happenings.not_deployed(key, why)
        self._lacks(key, why)
        self._later(key, wait)

    def _lacks(self, key: Key, why: str) -> None:
        if self.lacking.get(key, "") == why:
            return
        if why:
            self.lacking[key] = why
        else:
            del self.lacking[key]
        self._tell(key)

    def _made(self, key: Key, how: Deployment, xds: HostPort) -> Objects | None:
        """What a Gateway's Envoys are made of; None: we are not to deploy any."""
        proxy = self._pipeline.attached.proxies.row(key)
        gateway = self._pipeline.inputs.gateways.row(key)
        wish = self._pipeline.attached.wishes.row(key)
        uid = self._uid(key)
        if gateway is None:
            self._forget(key)
        if proxy is None or gateway is None or wish is None or not uid:
            return None
        if gateway.metadata.deletion_timestamp is not None:
            return None
        if not wish.verdict.ok or wish.self_managed:
            log.info("deploy.not_ours", gateway=proxy.name, why=wish.verdict.message)
            return None
        asked, drain, secured = _bootstrap_of(wish), drain_path(uid), self.keys is not None
        config = pod_bootstrap(proxy.name, xds, drain, asked, secured=secured)
        how = _secured(how, xds.host, self.keys) if self.keys is not None else how
        return objects(proxy, gateway, uid, config, how, wish)

    async def _settle(self, key: Key, made: Objects) -> None:
        others = await self.deployer.settle(key, made)
        if others:
            log.warning("deploy.left_alone", gateway=str(key), object=others)
            self._happenings.left_alone(key, others)
            self._later(key, OTHERS_SECONDS)

    def _drifted(self, drift: Drift) -> None:
        """Somebody changed what we deployed: it is put back, the later the more often they do."""
        if not self._leading():
            return
        self.deployer.forget(drift.gateway)
        if drift.gateway in self._waiting:
            return
        count, wait = self._contest.struck(drift.gateway, monotonic())
        log.info("deploy.drifted", gateway=str(drift.gateway), object=drift.name, by=drift.by)
        self._happenings.drifted(drift, count)
        self._later(drift.gateway, wait)

    def _forget(self, key: Key) -> None:
        self.lacking.pop(key, None)
        self._backoffs.pop(key, None)
        self._contest.forget(key)
        self._deployed.forget(key)
        self.deployer.forget(key)
        self._tried.pop(key, None)

    def _later(self, key: Key, seconds: float) -> None:
        self._release(key)
        if seconds:
            loop = asyncio.get_running_loop()
            self._held[key] = loop.call_later(seconds, self._again, key)
        else:
            self.look([key])

    def _again(self, key: Key) -> None:
        self._release(key)
        self.look([key])

    def _release(self, key: Key) -> None:
        held = self._held.pop(key, None)
        if held is not None:
            held.cancel()


def _secured(how: Deployment, host: str, keys: XdsKeys) -> Deployment:
    token = Token(audience=AUDIENCE, folder=TOKEN_FOLDER, file=TOKEN_FILE)
    files = security_files(host, keys.trust.decode())
    return msgspec.structs.replace(how, files=files, token=token)


def _bootstrap_of(wish: Wish) -> EnvoyBootstrap | None:
    kube = wish.spec.kube
    container = kube.envoy_container if kube else None
    return container.bootstrap if container else None
