"""`serai controller`: the objects of a cluster, served to Envoys anywhere in it.

Every replica reads, translates and serves; the one that leads also writes statuses.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import structlog

from serai.api.kinds import KINDS, Kind, by_kind
from serai.api.meta import Key
from serai.api.problem import Problem
from serai.app.bundles import bundles_of
from serai.app.clock import follow_clock
from serai.app.core import Committed, Core
from serai.app.facts import client_states
from serai.app.garbage import follow_garbage, loading
from serai.app.issuers import follow_issuers
from serai.app.key_sets import KeySets
from serai.app.refused import Refused
from serai.app.said import istiod_runs, wanted_status
from serai.envoy.bootstrap import HostPort
from serai.envoy.pod_bootstrap import pod_bootstrap
from serai.kube.access import Access, ApiError
from serai.kube.cluster import Cluster, Wanted
from serai.kube.deployer import Deployer
from serai.kube.deployment import Deployment, name_of, objects
from serai.kube.leader import Leader
from serai.kube.reflector import Delta
from serai.kube.resource import Resource
from serai.kube.wire import Name
from serai.kube.writer import StatusWriter
from serai.model.settings import Settings
from serai.server.ads import AdsServer
from serai.sources.cluster import ClusterSource, Scope
from serai.sources.folder import Batch
from serai.views.problems import found_by, in_order
from serai.views.state import Counts, Facts, State
from serai.web.app import admin_app
from serai.web.instance import Changes
from serai.web.server import WebServer
from serai.xds.events import Rejection
from serai.xds.refusals import Refusal
from serai.xds.resource import Resource as XdsResource
from serai.xds.resource import ResourceKey
from serai.xds.snapshot import SnapshotKey

log = structlog.get_logger(__name__)

SELECTORS: Mapping[str, Mapping[str, str]] = {
    "Pod": {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"},
    "Secret": {
        "fieldSelector": "type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token"
    },
    "ConfigMap": {"fieldSelector": "metadata.name!=kube-root-ca.crt"},
}
"""What need not be read at all, by kind."""

DEPLOY_AGAIN_SECONDS = 5.0
"""After which what could not be deployed is tried again."""

Found = TypeVar("Found")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to run, beyond what the core is told by its Settings."""

    xds: str = "0.0.0.0:18000"
    namespace: str = "serai-system"
    """Where the Lease is."""
    identity: str = "serai"
    """This replica; no two have the same."""
    lease: str = "serai-controller"
    scope: Scope = Scope()
    deployment: Deployment | None = None
    """How Envoys are deployed; None: that is somebody else's business."""
    keys: Path | None = None
    """A folder that keeps the keys of issuers of tokens over restarts; None: they are fetched."""
    xds_host: str = ""
    """By which they find us, such as ``serai.serai-system.svc``; with the port of `xds`."""


class Controller:
    """Reads, translates, serves, and says what became of it; everything in one event loop."""

    def __init__(self, access: Access, settings: Settings, options: Options) -> None:
        self.core = Core(settings, now=time.time)
        self.core.allocate_from(())
        self.server = AdsServer()
        self.options = options
        self.changes = Changes()
        self.batch = Batch()
        self.xds_port = 0
        """Where xDS is served; 0 before it is."""
        self.source = ClusterSource(options.scope)
        self.cluster = Cluster(
            access, wanted_kinds(), self._heard, tell_definitions=self._heard_definitions
        )
        self.writer = StatusWriter(access, self._find, self._wanted, self._leading)
        lease = Name(options.namespace, options.lease)
        self.leader = Leader(access, lease, options.identity, self._on_leading)
        self._access = access
        self._deployer = Deployer(access)
        self._to_deploy: dict[Key, None] = {}
        self._deploy_soon = asyncio.Event()
        self._gateways: dict[tuple[str, str], Key] = {}
        """By namespace and name of the Service by which each is reached."""
        self._lock = asyncio.Lock()
        self._keys = KeySets(self.core, self._lock, self._brought_in, options.keys)
        self._refused = Refused(None, self._resource, self._settle_soon)
        self._told: dict[Key, dict[ResourceKey, Refusal]] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._commits = 0
        self._ranges: tuple[str, ...] = ()
        self._seen: dict[Key, bytes | None] = {}
        """What the writer is to see with the next commit: were it earlier, it would compare what
        is there now with what we had to say before, and take back what somebody else allocated."""
        self._serving = False
        self._synced = asyncio.Event()
        server = self.server
        server.on_rejections, server.on_clients = self._on_rejections, self.changes.tell
        server.locate, server.on_places = self.core.locate, self._look_soon

    async def run(self, web: WebServer | None = None) -> None:
        """Serve until cancelled.  Envoys are answered once everything was read."""
        try:
            async with asyncio.TaskGroup() as tasks:
                if web is not None:
                    await web.start(admin_app(self))
                with loading():
                    tasks.create_task(self.cluster.run())
                    await self._synced.wait()
                    await self._apply(self.source.batch())
                await self._keys.first()
                self.xds_port = await self.server.start(self.options.xds)
                self.server.mark_ready()
                self._serving = True
                self.changes.tell()
                tasks.create_task(self._follow())
                tasks.create_task(self._keys.follow())
                tasks.create_task(follow_clock(self.core, self._look_at_clock))
                tasks.create_task(follow_issuers(self.core, self._look_at_clock))
                tasks.create_task(self.writer.run())
                if self.options.deployment is not None:
                    tasks.create_task(self._deploy(self.options.deployment))
                tasks.create_task(self.leader.run())
                tasks.create_task(follow_garbage())
        finally:
            self.changes.close()
            await self._keys.stop()
            if web is not None:
                await web.stop()
            await self.server.stop()
            await self._refused.stop()
            await self._access.close()

    def waiting_for(self) -> str:
        """What has to happen before it serves; empty once it does."""
        if self._serving:
            return ""
        return ", ".join(self.cluster.waiting_for()) or "Envoys to be answered"

    async def read(self, question: Callable[[State], Found], *, health: bool = False) -> Found:  # noqa: ARG002
        """What `question` finds in the state, computed beside the event loop."""
        return await asyncio.shield(self._read(question))

    async def _read(self, question: Callable[[State], Found]) -> Found:
        async with self._lock:
            state = State(self.core.pipeline, self._problems(), facts=self._facts())
            return await asyncio.to_thread(lambda: question(state))

    def _problems(self) -> tuple[Problem, ...]:
        return in_order([*self.batch.problems, *self._troubles(), *found_by(self.core.pipeline)])

    def _troubles(self) -> list[Problem]:
        remedy = "See that the ServiceAccount may list and watch it, and that the server answers."
        return [
            Problem("SER1201", "error", f"{kind} cannot be followed: {failure}", remedy)
            for kind, failure in self.cluster.troubles().items()
        ]

    def _facts(self) -> Facts:
        sent = self.server.counts
        return Facts(
            live=True,
            clients=client_states(self.server.clients(), self._refused.all()),
            counts=Counts(self._commits, sent.pushed, sent.acknowledged, sent.rejected),
        )

    def _heard(self, name: str, delta: Delta) -> None:
        """The API server has told of a kind."""
        kind = by_kind(name)
        if kind is not None and delta:
            gone = [Key(name, each.namespace, each.name) for each in delta.gone]
            self.source.take(kind, (item.raw for item in delta.put), gone)
            self._saw(kind, delta)
        else:
            self.source.tell()
        self._look_whether_synced()

    def _heard_definitions(self, delta: Delta) -> None:
        bundles = self.core.pipeline.inputs.bundles
        found = bundles_of(delta)
        for definition, version in found.items():
            if version is None:
                bundles.drop(definition)
            else:
                bundles.put(definition, version)
        if found:
            self.source.tell()
        self._look_whether_synced()

    def _look_whether_synced(self) -> None:
        if self.cluster.synced and self.cluster.knows_definitions:
            self._synced.set()

    def _saw(self, kind: Kind, delta: Delta) -> None:
        if kind.name not in STATUS_KINDS:
            return
        self._seen.update((Key(kind.name, *name), None) for name in delta.gone)
        self._seen.update((Key(kind.name, *item.name), item.raw) for item in delta.put)

    async def _follow(self) -> None:
        async for batch in self.source.changes():
            await self._apply(batch)

    async def _brought_in(self, committed: Committed) -> None:
        self._publish(committed)

    async def _look_at_clock(self) -> None:
        async with self._lock:
            self._publish(self.core.commit())

    async def _apply(self, batch: Batch) -> None:
        seen, self._seen = self._seen, {}
        async with self._lock:
            self.batch = batch
            committed = self.core.apply(batch.changed.values(), batch.removed)
            self._publish(committed)
            self._keys.look(committed)
            if any(key.kind == "GatewayClass" for key in (*batch.changed, *batch.removed)):
                self._allocate()
        for key, raw in seen.items():
            self.writer.saw(key, raw)
        if any(key.kind == "GatewayClass" for key in batch.changed):
            self._deploy_again()
        else:
            self._to_deploy.update((key, None) for key in batch.changed if key.kind == "Gateway")
            self._deploy_soon.set()
        # A Gateway's addresses are those of its Service.
        for key in batch.changed:
            if key.kind == "Gateway":
                self._gateways[key.namespace, name_of(key.name)] = key
        services = (key for key in (*batch.changed, *batch.removed) if key.kind == "Service")
        found = (self._gateways.get((key.namespace, key.name)) for key in services)
        self.writer.look(key for key in found if key is not None)
        self.writer.look(key for key in batch.changed if key.kind in STATUS_KINDS)

    def _publish(self, committed: Committed) -> None:
        self.server.publish(committed.resources, committed.places)
        for name in committed.resources:
            self._tell_refusals(Key("Gateway", *name.split("/", 1)))
        self.writer.look(committed.statuses)
        self._commits += 1
        self.changes.tell()

    def _on_leading(self, leading: bool) -> None:  # noqa: FBT001  as it is called
        self._soon(self._reallocate())
        if leading:
            self.writer.look_at_all()
            self._deployer.forget()
            self._deploy_again()

    def _deploy_again(self) -> None:
        gateways = self.core.pipeline.inputs.gateways
        self._to_deploy.update((key, None) for key, _ in gateways.items())
        self._deploy_soon.set()

    async def _deploy(self, how: Deployment) -> None:
        """Deploy what has changed, while we lead; what fails is tried again."""
        while True:
            await self._deploy_soon.wait()
            self._deploy_soon.clear()
            waiting, self._to_deploy = self._to_deploy, {}
            for key in waiting if self._leading() else ():
                try:
                    await self._deploy_one(key, how)
                except ApiError as error:
                    log.warning("deploy.failed", gateway=str(key), error=str(error))
                    self._to_deploy[key] = None
            if self._to_deploy:
                await asyncio.sleep(DEPLOY_AGAIN_SECONDS)
                self._deploy_soon.set()

    async def _deploy_one(self, key: Key, how: Deployment) -> None:
        pipeline = self.core.pipeline
        proxy, gateway = pipeline.attached.proxies.row(key), pipeline.inputs.gateways.row(key)
        uid = self.writer.uid(key)
        if proxy is None or gateway is None or not uid:
            return
        infrastructure = gateway.spec.infrastructure
        if infrastructure is not None and infrastructure.parameters_ref is not None:
            # They may say that it is deployed by somebody else; they are not read yet.
            log.warning("deploy.parameters_not_read", gateway=proxy.name)
            return
        xds = HostPort(self.options.xds_host, int(self.options.xds.rpartition(":")[2]))
        config = pod_bootstrap(proxy.name, xds)
        await self._deployer.settle(key, objects(proxy, gateway, uid, config, how))

    async def _reallocate(self) -> None:
        async with self._lock:
            self._allocate()

    def _allocate(self) -> None:
        """One hands out VIPs: who leads, unless istiod does; all take what statuses say."""
        pipeline = self.core.pipeline
        istiod = istiod_runs(row for _, row in pipeline.inputs.gateway_classes.items())
        ranges = pipeline.settings.vip_ranges if self._leading() and not istiod else ()
        if ranges != self._ranges:
            self._ranges = ranges
            self._publish(self.core.allocate_from(ranges))

    def _leading(self) -> bool:
        return self.leader.leading()

    def _wanted(self, key: Key) -> dict[str, Any] | None:
        return wanted_status(self.core.pipeline, key)

    async def _find(self, kind: str) -> Resource | None:
        return await self.cluster.find(self.cluster.wanted[kind])

    def _resource(self, proxy: Key, key: ResourceKey) -> XdsResource | None:
        return self.core.pipeline.snapshot.row(SnapshotKey(proxy, key))

    def _on_rejections(self, name: str, found: Mapping[ResourceKey, Rejection]) -> None:
        self._refused.change(Key("Gateway", *name.split("/", 1)), found)

    def _settle_soon(self, proxy: Key) -> None:
        self._soon(self._settle(proxy))

    async def _settle(self, proxy: Key) -> None:
        async with self._lock:
            self._tell_refusals(proxy)

    def _look_soon(self) -> None:
        self._soon(self._look())

    async def _look(self) -> None:
        async with self._lock:
            committed = self.core.look(self.server.places())
            self.server.publish({}, committed.places)

    def _tell_refusals(self, proxy: Key) -> None:
        """Put what is not in force at a proxy, and why, on the objects it came from."""
        wanted, before = self._refused.of(proxy), self._told.get(proxy, {})
        if wanted == before:
            return
        table = self.core.pipeline.refusals
        for key in before.keys() - wanted.keys():
            table.drop(SnapshotKey(proxy, key))
        for key, refusal in wanted.items():
            table.put(SnapshotKey(proxy, key), refusal)
        self._told[proxy] = dict(wanted)
        self.writer.look(self.core.commit().statuses)
        self.changes.tell()

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)


STATUS_KINDS = frozenset(
    kind.name
    for kind in KINDS
    if kind.group not in {"", "discovery.k8s.io"} or kind.name == "Service"
) - {"ReferenceGrant"}
"""The kinds that we may have something to say on."""


def wanted_kinds() -> tuple[Wanted, ...]:
    """Every kind that is read."""
    return tuple(
        Wanted(kind.name, kind.group, kind.plural, kind.versions, SELECTORS.get(kind.name, {}))
        for kind in KINDS
    )
