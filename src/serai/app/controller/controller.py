"""Everything of `serai controller`, in one event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from ssl import SSLContext
from typing import Any, TypeVar

from serai.api.meta import Key
from serai.api.problem import Problem
from serai.app.background import Background
from serai.app.clock import follow_clock
from serai.app.clusters import Clusters, Following
from serai.app.controller.admission import Admission
from serai.app.controller.deploying import Deploying
from serai.app.controller.followed import SELECTORS, STATUS_KINDS, Followed
from serai.app.controller.happenings import Happenings
from serai.app.controller.options import Options
from serai.app.controller.xds_keys import XdsKeys, keys_of
from serai.app.core import Committed, Core
from serai.app.facts import client_states
from serai.app.garbage import follow_garbage, loading, look_after
from serai.app.issuers import follow_issuers
from serai.app.key_sets import KeySets
from serai.app.refused import Refused
from serai.app.said import istiod_runs, wanted_status
from serai.app.told import Told
from serai.attach.gateways import proxy_key
from serai.envoy.bootstrap import HostPort
from serai.kube.access import Access
from serai.kube.deployment import name_of
from serai.kube.events import Events
from serai.kube.leader import Leader
from serai.kube.resource import Resource
from serai.kube.wire import Name
from serai.kube.writer import StatusWriter
from serai.model.settings import Settings
from serai.server.ads import AdsServer
from serai.server.listening import served_with
from serai.sources.batch import Batch
from serai.views.problems import found_by, in_order
from serai.views.state import Counts, Facts, State
from serai.web.instance import Changes
from serai.web.server import WebServer

Found = TypeVar("Found")


class Controller:
    """Reads, translates, serves, and says what became of it."""

    def __init__(self, access: Access, settings: Settings, options: Options) -> None:
        self.core = Core(settings, now=time.time)
        self.core.allocate_from(())
        self.server = AdsServer()
        self.options = options
        self.changes = Changes()
        self.batch = Batch()
        self.xds_port = 0
        """Where xDS is served; 0 before it is."""
        self.followed = Followed(access, options.scope, self.core.pipeline.inputs.bundles)
        self.cluster = self.followed.cluster
        self.writer = StatusWriter(access, self._find, self._wanted, self._leading)
        lease = Name(options.namespace, options.lease)
        self.leader = Leader(access, lease, options.identity, self._on_leading)
        self._access = access
        self._events = Events(access, options.identity)
        self.happenings = Happenings(self._events, self.writer.uid)
        self.deploying = Deploying(
            access,
            self.core.pipeline,
            self._leading,
            self.writer.uid,
            self.happenings,
            lambda gateway: self.writer.look([gateway]),
        )
        self._xds_keys = self._secured(access)
        self._gateways: dict[tuple[str, str], Key] = {}
        """By namespace and name of the Service by which each is reached."""
        self._lock = asyncio.Lock()
        self._keys = KeySets(self.core, self._lock, self._brought_in, options.keys)
        self.clusters = Clusters(self.core, self._lock, self._brought_in, _following(options))
        self.followed.on_secrets = self.clusters.heard
        self._refused = Refused(None, self.core.resource, self._settle_soon)
        self._told = Told(self.core.pipeline.refusals)
        self._background = Background()
        self._commits = 0
        self._ranges: tuple[str, ...] = ()
        self._serving = False
        self._listen_to(self.server)

    def _listen_to(self, server: AdsServer) -> None:
        server.on_rejections, server.on_clients = self._refused.change, self.changes.tell
        server.locate, server.on_places = self.core.locate, self._look_soon

    def _secured(self, access: Access) -> XdsKeys | None:
        keys = keys_of(access, self.options)
        if keys is not None:
            self.server.guard = Admission(access, self.core.pipeline)
            self.deploying.keys = keys
            keys.trusted_changed = self.deploying.look_at_all
        return keys

    async def run(self, web: WebServer | None = None) -> None:
        """Serve until cancelled.  Envoys are answered once everything was read."""
        try:
            async with asyncio.TaskGroup() as tasks:
                if web is not None:
                    await web.start_admin(self)
                with loading():
                    tasks.create_task(self.cluster.run())
                    await self.followed.synced.wait()
                    await self._apply(self.followed.source.batch())
                await self.clusters.first()
                await self._keys.first()
                if self._xds_keys is not None:
                    await self._xds_keys.first()
                    tasks.create_task(self._xds_keys.run())
                self.xds_port = await self.server.start(self.options.xds, self._credentials())
                self.server.mark_ready()
                self._serving = True
                self.changes.tell()
                tasks.create_task(self._follow())
                tasks.create_task(self.clusters.run())
                tasks.create_task(self._keys.follow())
                tasks.create_task(follow_clock(self.core, self._look_at_clock))
                tasks.create_task(follow_issuers(self.core, self._look_at_clock))
                tasks.create_task(self.writer.run())
                tasks.create_task(self._events.run())
                if self.options.deployment is not None:
                    xds = HostPort(self.options.xds_host, self.xds_port)
                    tasks.create_task(self.deploying.run(self.options.deployment, xds))
                tasks.create_task(self.leader.run())
                tasks.create_task(follow_garbage())
        finally:
            self.changes.close()
            await self.clusters.stop()
            await self._keys.stop()
            if web is not None:
                await web.stop()
            await self.server.stop()
            await self._refused.stop()
            await self._access.close()

    def _credentials(self) -> SSLContext | None:
        keys = self._xds_keys
        return served_with(lambda: keys.serving) if keys is not None else None

    def waiting_for(self) -> str:
        """What has to happen before it serves; empty once it does."""
        if self._serving:
            return ""
        return ", ".join(self.cluster.waiting_for()) or "Envoys to be answered"

    def lacks(self) -> str:
        """Without what nothing can be served, though it is ready."""
        return self.followed.definitions.lacks()

    async def read(self, question: Callable[[State], Found], *, health: bool = False) -> Found:  # noqa: ARG002
        """What `question` finds in the state, computed beside the event loop."""
        return await asyncio.shield(self._read(question))

    async def _read(self, question: Callable[[State], Found]) -> Found:
        async with self._lock:
            state = State(self.core.pipeline, self._problems(), facts=self._facts())
            return await asyncio.to_thread(lambda: question(state))

    def _problems(self) -> tuple[Problem, ...]:
        of_ours = self.followed.troubles(self.deploying.troubles())
        troubles = (*of_ours, *self.clusters.problems())
        return in_order([*self.batch.problems, *troubles, *found_by(self.core.pipeline)])

    def _facts(self) -> Facts:
        sent = self.server.counts
        return Facts(
            live=True,
            clients=client_states(self.server.clients(), self._refused.all()),
            clusters=self.clusters.states(),
            kinds=self.followed.definitions.served(),
            counts=Counts(self._commits, sent.pushed, sent.acknowledged, sent.rejected),
        )

    async def _follow(self) -> None:
        async for batch in self.followed.source.changes():
            await self._apply(batch)

    async def _brought_in(self, committed: Committed) -> None:
        self._publish(committed)

    async def _look_at_clock(self) -> None:
        async with self._lock:
            self._publish(self.core.commit())

    async def _apply(self, batch: Batch) -> None:
        seen = self.followed.seen()
        async with self._lock:
            self.batch = batch
            committed = self.core.apply(batch.changed.values(), batch.removed)
            self._publish(committed)
            if any(key.kind == "GatewayClass" for key in (*batch.changed, *batch.removed)):
                self._allocate()
        for key, raw in seen.items():
            self.writer.saw(key, raw)
        if any(key.kind == "GatewayClass" for key in batch.changed):
            self.deploying.look_at_all()
        gateways = (key for key in (*batch.changed, *batch.removed) if key.kind == "Gateway")
        self.deploying.look(gateways)
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
        self._keys.look(committed)
        for name in committed.resources:
            self._tell_refusals(proxy_key(name))
        self.writer.look(committed.statuses)
        self.deploying.look(committed.wishes)
        self._commits += 1
        self.changes.tell()
        look_after(committed.rows)

    def _on_leading(self, leading: bool) -> None:  # noqa: FBT001  as it is called
        self._background.begin(self._reallocate())
        if leading:
            options = self.options
            self.happenings.leading(options.namespace, options.lease, options.identity)
            self.writer.look_at_all()
            self.deploying.start_over()

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
        return wanted_status(self.core.pipeline, key, self.deploying.lacking.get(key, ""))

    async def _find(self, kind: str) -> Resource | None:
        return await self.cluster.find(self.cluster.wanted[kind])

    def _settle_soon(self, proxy: Key) -> None:
        self._background.begin(self._settle(proxy))

    async def _settle(self, proxy: Key) -> None:
        async with self._lock:
            self._tell_refusals(proxy)

    def _look_soon(self) -> None:
        self._background.begin(self._look())

    async def _look(self) -> None:
        async with self._lock:
            committed = self.core.look(self.server.places())
            self.server.publish({}, committed.places)

    def _tell_refusals(self, proxy: Key) -> None:
        """Put what is not in force at a proxy, and why, on the objects it came from."""
        before, now = self._told.of(proxy), self._refused.of(proxy)
        if not self._told.tell(proxy, now):
            return
        self.happenings.refused(
            proxy, (each for key, each in now.items() if before.get(key) != each)
        )
        self.writer.look(self.core.commit().statuses)
        self.changes.tell()


def _following(options: Options) -> Following:
    return Following(
        namespace=options.namespace,
        scope=options.scope,
        grace=options.remote_grace,
        wait=options.remote_wait,
        selectors=SELECTORS,
    )
