"""`serai run`: a folder of manifests, served by Envoys on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec
import structlog

from serai.api.meta import Key
from serai.api.problem import Problem
from serai.app.addresses import AddressFile
from serai.app.background import Background
from serai.app.clock import follow_clock
from serai.app.core import Committed, Core
from serai.app.facts import client_states, envoy_states
from serai.app.garbage import follow_garbage, loading, look_after
from serai.app.health import EnvoyHealth, Heard
from serai.app.identities import LOOK_SECONDS, Identities
from serai.app.issuers import follow_issuers
from serai.app.key_sets import KeySets
from serai.app.offline import located
from serai.app.own_rate_limits import OwnRateLimits
from serai.app.placement import age
from serai.app.ports import PortGate
from serai.app.refused import Refused
from serai.app.told import Told
from serai.app.vips import VipJournal
from serai.attach.gateways import Proxy, proxy_key
from serai.envoy.bootstrap import BootstrapSettings, UnixSocket, bootstrap, render
from serai.envoy.event import FleetEvent
from serai.envoy.fleet import Fleet
from serai.envoy.launch import GatewaySpec
from serai.envoy.loglines import taken_address
from serai.envoy.state import Instance
from serai.ir.listener import Listener
from serai.server.ads import AdsServer
from serai.sources.batch import Batch
from serai.sources.folder import FolderSource
from serai.translate.collections import Named
from serai.views.problems import found_by, in_order
from serai.views.state import Counts, Facts, State
from serai.web.instance import Changes
from serai.web.server import WebServer
from serai.xds.events import Rejection
from serai.xds.resource import Resource, ResourceKey

log = structlog.get_logger(__name__)

BREATH_SECONDS = 0.001
"""Between portions of the first batch, for what Envoys have said meanwhile."""
PORT_SECONDS = 1.0
"""Between looks at ports that others had."""

Found = TypeVar("Found")


class Change(msgspec.Struct, frozen=True):
    """A batch that was applied, for whoever shows it."""

    batch: Batch
    committed: Committed
    first: bool = False


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to run, beyond what the core is told by its Settings."""

    xds: str = ""
    """``host:port`` where Envoys of others may ask too; empty: only our own, by a unix socket."""
    only: frozenset[str] = frozenset()
    """Gateways (``namespace/name``) to run an Envoy for; empty: all."""
    drain_seconds: int = 15
    no_envoy: bool = False
    """Envoys are somebody else's business."""
    envoy_path: str | None = None
    bind_life: bool = False
    """No Envoy outlives this process, however it ends (tests, demos)."""


class Standalone:
    """Reads, translates, serves, and keeps the Envoys; everything in one event loop."""

    def __init__(
        self,
        source: FolderSource,
        core: Core,
        server: AdsServer,
        fleet: Fleet | None,
        instance: Instance,
        options: Options,
        identities: Identities | None = None,
    ) -> None:
        """`fleet` is None where Envoys are somebody else's business, `identities` likewise."""
        self.identities = identities
        self.source, self.core = source, core
        self.server = server
        self.fleet, self.instance, self.options = fleet, instance, options
        self.batch = Batch()
        self.admin = ""
        """``host:port`` of the console and the admin API; empty until it serves."""
        self.changes = Changes()
        self.on_change: Callable[[Change], None] = lambda _: None
        self.on_event: Callable[[FleetEvent], None] = lambda _: None
        """Told what happens to the Envoys."""
        self._gate = PortGate(self._own_pids)
        self._commits = 0
        self._health = EnvoyHealth()
        self._refused = Refused(
            fleet.binary if fleet else None, self.core.resource, self._settle_soon
        )
        self._told = Told(self.core.pipeline.refusals)
        self._lock = asyncio.Lock()
        """Held while the pipeline is changed, or read beside the event loop."""
        self._keys = KeySets(core, self._lock, self._brought_in, instance.keys)
        self._background = Background()
        self._addresses = AddressFile(instance.folder / "addresses")
        self._vips = VipJournal(instance.vips)
        self.limits = OwnRateLimits(instance, core, bind_life=options.bind_life)
        self._web: WebServer | None = None
        self._waiting_for = "the files to be read"
        self._listen_to(server, fleet)

    def _listen_to(self, server: AdsServer, fleet: Fleet | None) -> None:
        server.on_rejections, server.on_clients = self._on_rejections, self.changes.tell
        server.locate, server.on_places = self.core.locate, self._look_soon
        if fleet is not None:
            fleet.on_event = self._on_event

    async def start(self, web: WebServer | None = None) -> None:
        """Read everything once, and only then have Envoys answer.

        `web` is where the console and the admin API are to be.
        """
        with loading():
            batch = await asyncio.to_thread(self.source.scan)
            self.core.addresses = self._addresses.read() or self.core.addresses
            self.core.remember(self._vips.read())
            await self._begin(batch)
            await self._keys.first()
            self.server.mark_ready()
        await self._ensure_envoys()
        self._waiting_for = ""
        if web is not None:
            self._web, self.admin = web, web.address
            await web.start_admin(self)

    async def follow(self) -> None:
        """Apply every change of the files, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_files())
            tasks.create_task(self._follow_ports())
            tasks.create_task(follow_garbage())
            tasks.create_task(follow_clock(self.core, self._look_at_clock))
            tasks.create_task(follow_issuers(self.core, self._look_at_clock))
            tasks.create_task(self._follow_identities())
            tasks.create_task(self._keys.follow())

    async def stop(self, *, drain: bool = True) -> None:
        """End the Envoys, each after its requests in flight, and everything else."""
        self.changes.close()
        if self._web is not None:
            await self._web.stop()
        await self._keys.stop()
        await self._health.close()
        if self.fleet is not None:
            await self.fleet.stop(drain=drain)
        await self.limits.stop()
        await self.server.stop()
        await self._refused.stop()
        self.instance.release(keep_logs=self.fleet is not None and self.fleet.had_deaths)

    def problems(self) -> tuple[Problem, ...]:
        """Everything a person should know now: of files, of objects, of ports."""
        return self._problems(self.batch)

    def state(self) -> State:
        """Everything there is to see now, but for what Envoys would have to be asked."""
        return self._state(self._facts(Heard()), self.batch)

    async def read(self, question: Callable[[State], Found], *, health: bool = False) -> Found:
        """What `question` finds in the state, computed beside the event loop.

        With `health` each Envoy is asked what it thinks of its endpoints.  The pipeline does not
        change meanwhile: changes of files wait for it, and it for them.
        """
        envoys = self.fleet.statuses() if self.fleet is not None and health else ()
        heard = await self._health.of(envoys)
        # Who asks may lose patience: the thread goes on reading, so the lock is held to its end.
        return await asyncio.shield(self._read(question, heard))

    async def _read(self, question: Callable[[State], Found], heard: Heard) -> Found:
        async with self._lock:
            facts, batch = self._facts(heard), self.batch
            return await asyncio.to_thread(lambda: question(self._state(facts, batch)))

    def _state(self, facts: Facts, batch: Batch) -> State:
        return State(self.core.pipeline, self._problems(batch), batch.places, facts)

    def _problems(self, batch: Batch) -> tuple[Problem, ...]:
        of_objects = located(found_by(self.core.pipeline), batch.places)
        return in_order([*batch.problems, *of_objects])

    def _facts(self, heard: Heard) -> Facts:
        envoys = self.fleet.statuses() if self.fleet is not None else ()
        sent = self.server.counts
        return Facts(
            live=True,
            clients=client_states(self.server.clients(), self._refused.all()),
            counts=Counts(self._commits, sent.pushed, sent.acknowledged, sent.rejected),
            envoys=envoy_states(envoys),
            health=heard.health,
            answered=heard.answered,
        )

    def waiting_for(self) -> str:
        """What has to happen before it serves; empty once it does."""
        return self._waiting_for

    def lacks(self) -> str:
        """Nothing that could be told: a folder has no definitions of kinds."""
        return ""

    async def _follow_files(self) -> None:
        async for batch in self.source.changes():
            await self._apply(batch)
            await self._ensure_envoys()

    async def _follow_identities(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._keep_identities()

    async def _look_at_clock(self) -> None:
        async with self._lock:
            await self._brought_in(self.core.commit())

    async def _brought_in(self, committed: Committed) -> None:
        """Publish what a change brought that is not of files; under the lock."""
        await self._publish(committed)
        self.changes.tell()
        if committed.problems:
            self.on_change(Change(Batch(), committed))

    async def _follow_ports(self) -> None:
        while True:
            await asyncio.sleep(PORT_SECONDS)
            if not self._gate.held:
                continue
            async with self._lock:
                for proxy, key, resource in await self._gate.released(self._listener):
                    self.server.publish({proxy.namespaced_name: {key: resource}})
                    self._tell_refusals(proxy)

    async def _begin(self, batch: Batch) -> None:
        """Apply the first batch in portions; Envoys start to work on them at once."""
        async with self._lock:
            self.batch = batch
            for number, committed in enumerate(self.core.begin(batch.changed.values())):
                self._keep_identities()
                await self.limits.ensure()
                await self._publish(committed)
                if number == 0:
                    await self._serve()
                await asyncio.sleep(BREATH_SECONDS)
        self._applied(batch, committed, first=True)

    async def _serve(self) -> None:
        self.server.mark_begun()
        self.instance.xds_socket.unlink(missing_ok=True)
        await self.server.start(f"unix:{self.instance.xds_socket}")
        if self.options.xds:
            await self.server.start(self.options.xds)
        await self._ensure_envoys()

    async def _apply(self, batch: Batch) -> None:
        async with self._lock:
            self.batch = batch
            committed = self.core.apply(batch.changed.values(), batch.removed)
            self._keep_identities()
            await self.limits.ensure()
            await self._publish(committed)
        self._applied(batch, committed)

    def _applied(self, batch: Batch, committed: Committed, *, first: bool = False) -> None:
        self._commits += 1
        self._addresses.keep(self.core.addresses)
        self._keep_vips(committed, first=first)
        self.changes.tell()
        self.on_change(Change(batch, committed, first))

    async def _publish(self, committed: Committed) -> None:
        passing: dict[str, Mapping[ResourceKey, Resource | None]] = {}
        gateways = self.core.pipeline.inputs.gateways
        found = [(proxy_key(name), name, each) for name, each in committed.resources.items()]
        for proxy, _, changes in found:
            self._gate.let_go(proxy, changes, self._listener)
        for proxy, name, changes in sorted(
            found, key=lambda row: age(gateways.row(row[0]), row[0])
        ):
            passing[name] = await self._gate.filter(proxy, changes, self._listener)
            self._tell_refusals(proxy)
        self.server.publish(passing, committed.places)
        self._keys.look(committed)
        look_after(committed.rows)

    def _keep_identities(self) -> None:
        if self.identities is not None:
            self.identities.ensure(self.core.pipeline)

    def _keep_vips(self, committed: Committed, *, first: bool) -> None:
        try:
            self._vips.append(committed.vips, self.core.vips.last())
            if first:
                self._vips.compact()
        except OSError as error:
            log.warning("vips.not_kept", error=str(error))

    def _on_rejections(self, name: str, found: Mapping[ResourceKey, Rejection]) -> None:
        self._refused.change(name, found)
        if unbound := [key for key, each in found.items() if taken_address(each.message)]:
            self._background.begin(self._hold(proxy_key(name), unbound))

    async def _hold(self, proxy: Key, unbound: list[ResourceKey]) -> None:
        async with self._lock:
            refused = {key: self.core.resource(proxy, key) for key in unbound}
            held = await self._gate.hold(proxy, refused, self._listener)
            name = proxy.namespaced_name
            # Where it listened before it goes on, until it can move.
            self.server.publish({name: {key: self.server.acknowledged(name, key) for key in held}})
            self._tell_refusals(proxy)

    def _settle_soon(self, proxy: Key) -> None:
        """Put on the objects what is refused now, once nobody reads them."""
        self._background.begin(self._settle(proxy))

    def _look_soon(self) -> None:
        """Work out what is different where clients have come to, once nobody reads."""
        self._background.begin(self._look())

    async def _look(self) -> None:
        async with self._lock:
            # Nobody comes or goes between these two: they are one step of the event loop.
            committed = self.core.look(self.server.places())
            self.server.publish({}, committed.places)

    async def _settle(self, proxy: Key) -> None:
        async with self._lock:
            self._tell_refusals(proxy)

    def _on_event(self, event: FleetEvent) -> None:
        self.changes.tell()
        self.on_event(event)

    def _tell_refusals(self, proxy: Key) -> None:
        """Put what is not in force at a proxy, and why, on the objects it came from."""
        wanted = {**self._refused.of(proxy), **self._gate.refusals(proxy)}
        if not self._told.tell(proxy, wanted):
            return
        self.core.commit()
        self.changes.tell()
        self.on_change(Change(Batch(), Committed({}, (), problems=True)))

    def _listener(self, proxy: Key, key: ResourceKey) -> Listener | None:
        return self.core.pipeline.translated.listeners.row(Named(proxy, key.name))

    def _own_pids(self) -> frozenset[int]:
        statuses = self.fleet.statuses() if self.fleet is not None else ()
        recorded = (record.pid.number for record in self.instance.records())
        return frozenset({*(status.pid for status in statuses), *recorded})

    async def _ensure_envoys(self) -> None:
        if self.fleet is None:
            return
        proxies = self.core.pipeline.attached.proxies
        wanted = {
            proxy.name: self._spec(proxy)
            for _, proxy in sorted(proxies.items())
            if not self.options.only or proxy.name in self.options.only
        }
        await self.fleet.ensure(wanted)

    def _spec(self, proxy: Proxy) -> GatewaySpec:
        settings = BootstrapSettings(
            gateway=proxy.name,
            node_id=f"{proxy.key.name}.{proxy.key.namespace}",
            xds=UnixSocket(str(self.instance.xds_socket)),
            viewpoint=proxy.viewpoint,
            annotations=proxy.annotations,
        )
        return GatewaySpec(
            bootstrap=render(bootstrap(settings)), drain_seconds=self.options.drain_seconds
        )
