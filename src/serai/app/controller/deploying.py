"""Gateways' Envoys deployed by the replica that leads: when something changes, until it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import structlog

from serai.api.meta import Key
from serai.app.pipeline import Pipeline
from serai.envoy.bootstrap import HostPort
from serai.envoy.pod_bootstrap import pod_bootstrap
from serai.kube.access import Access, ApiError
from serai.kube.deployer import Deployer
from serai.kube.deployment import Deployment, objects
from serai.kube.ending import drain_path

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 5.0
"""After which what could not be deployed is tried again."""


class Deploying:
    """Which Gateways are to be deployed, and the deploying."""

    def __init__(
        self,
        access: Access,
        pipeline: Pipeline,
        leading: Callable[[], bool],
        uid: Callable[[Key], str],
    ) -> None:
        """`uid` gives an object's, as the API server has it; empty: it has none such."""
        self._pipeline = pipeline
        self._leading = leading
        self._uid = uid
        self.deployer = Deployer(access)
        self._waiting: dict[Key, None] = {}
        self._news = asyncio.Event()

    def look(self, gateways: Iterable[Key]) -> None:
        """These have changed."""
        self._waiting.update((key, None) for key in gateways)
        self._news.set()

    def look_at_all(self) -> None:
        """What concerns every Gateway has changed."""
        self.look(key for key, _ in self._pipeline.inputs.gateways.items())

    def start_over(self) -> None:
        """We lead now; what others did before us is not known."""
        self.deployer.forget()
        self.look_at_all()

    async def run(self, how: Deployment, xds: HostPort) -> None:
        """Deploy, while we lead, until cancelled; `xds` is where Envoys find us."""
        while True:
            await self._news.wait()
            self._news.clear()
            waiting, self._waiting = self._waiting, {}
            for key in waiting if self._leading() else ():
                try:
                    await self._deploy(key, how, xds)
                except ApiError as error:
                    log.warning("deploy.failed", gateway=str(key), error=str(error))
                    self._waiting[key] = None
            if self._waiting:
                await asyncio.sleep(AGAIN_SECONDS)
                self._news.set()

    async def _deploy(self, key: Key, how: Deployment, xds: HostPort) -> None:
        proxy = self._pipeline.attached.proxies.row(key)
        gateway = self._pipeline.inputs.gateways.row(key)
        uid = self._uid(key)
        if proxy is None or gateway is None or not uid:
            return
        infrastructure = gateway.spec.infrastructure
        if infrastructure is not None and infrastructure.parameters_ref is not None:
            # They may say that it is deployed by somebody else; they are not read yet.
            log.warning("deploy.parameters_not_read", gateway=proxy.name)
            return
        config = pod_bootstrap(proxy.name, xds, drain_path(uid))
        await self.deployer.settle(key, objects(proxy, gateway, uid, config, how))
