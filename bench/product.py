"""The whole of Serai in this process with an Envoy of its own, told of objects as a cluster tells.

What is measured is the product: its source that reads what an API server says, its core, its xDS
server, its Envoy with every filter.  Only the API server's connection is not there.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil

from bench.worlds import WAYPOINT, Manifest, encoded
from serai.api.kinds import by_kind
from serai.api.meta import Key, Object
from serai.app.core import Committed, Core
from serai.app.standalone import Change, Options, Standalone
from serai.envoy.binary import EnvoyBinary, find_envoy
from serai.envoy.bootstrap import BootstrapSettings, UnixSocket, bootstrap, render
from serai.envoy.fleet import Fleet
from serai.envoy.launch import GatewaySpec
from serai.envoy.state import Instance, claim
from serai.model.settings import Settings
from serai.server.ads import AdsServer
from serai.sources.batch import Batch
from serai.sources.cluster import ClusterSource, Scope
from serai.xds.resource import Resource, ResourceKey

PATIENCE = 600.0
"""Seconds for anything that is waited for."""


Said = tuple[str, Key, bytes]
"""An object as an API server tells it: its kind, its key, its JSON."""


class Told(ClusterSource):
    """A cluster's source, of which the first batch is asked for as a folder's is."""

    def scan(self) -> Batch:
        """What was there at first."""
        return self.batch()


class Pauses:
    """How long Python's garbage collector stopped everything.

    In CPU time: that somebody else had the processor meanwhile is no doing of the collector's.
    """

    def __init__(self) -> None:
        self.longest = 0.0
        """Seconds, since the last `forget`."""
        self.generation = 0
        """What it looked through then: 0 what is new, 2 everything that is not set aside."""
        self._began = 0.0
        gc.callbacks.append(self._heard)

    def forget(self) -> None:
        """Begin anew."""
        self.longest, self.generation = 0.0, 0

    def _heard(self, phase: str, told: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.thread_time()
        elif (took := time.thread_time() - self._began) > self.longest:
            self.longest, self.generation = took, told["generation"]


class Product:
    """Serai, and how to tell it of changes."""

    def __init__(self, instance: Standalone, source: Told) -> None:
        self.instance, self.source = instance, source
        self.core, self.server = instance.core, instance.server
        self.pauses = Pauses()
        self.began = 0.0
        """When it was told the first object."""
        self.core_seconds: list[float] = []
        """How long each batch took the core, from objects to resources."""
        self.published = 0
        """Resources of all changes, those that were removed not."""
        self.waiting: dict[Key, None] = {}
        """What it was told of and has not applied."""
        self._heard: list[asyncio.Future[Change]] = []
        instance.on_change = self._on_change
        self._time_the_core()

    def tell(self, manifests: Iterable[Manifest], gone: Iterable[Manifest] = ()) -> None:
        """The API server says that these are new or changed, and that those are gone."""
        self.tell_encoded(said(each) for each in manifests)
        for each in gone:
            self.waiting[key_of(each)] = None
            self.source.take(_kind(each["kind"]), (), [key_of(each)])

    def tell_encoded(self, told: Iterable[Said]) -> None:
        """Likewise, in the bytes that an API server sends."""
        for kind, key, raw in told:
            self.waiting[key] = None
            self.source.take(_kind(kind), [raw])

    async def applied(self) -> Change:
        """The next batch, once it was published."""
        heard: asyncio.Future[Change] = asyncio.get_running_loop().create_future()
        self._heard.append(heard)
        return await heard

    async def change(self, *manifests: Manifest, gone: Iterable[Manifest] = ()) -> Change:
        """Tell of something, and wait until it was published."""
        applied = asyncio.ensure_future(self.applied())
        await asyncio.sleep(0)
        self.tell(manifests, gone)
        return await applied

    def resources(self) -> dict[ResourceKey, Resource | None]:
        """Everything that the waypoint should have."""
        key = Key("Gateway", *WAYPOINT.split("/"))
        return {
            row.resource: resource
            for row, resource in self.core.pipeline.snapshot.items()
            if row.proxy == key and row.viewpoint is None
        }

    async def converged(self) -> None:
        """Return once the Envoy has acknowledged everything."""
        async with asyncio.timeout(PATIENCE):
            while not self._is_converged():
                await asyncio.sleep(0.02)

    def _is_converged(self) -> bool:
        clients = [each for each in self.server.clients() if each.proxy == WAYPOINT]
        wanted = len(self.core.pipeline.snapshot)
        return bool(clients) and all(
            sum(each.acked for each in client.types) >= wanted
            and not any(each.pending for each in client.types)
            for client in clients
        )

    def envoy(self) -> psutil.Process:
        """The waypoint's Envoy."""
        assert self.instance.fleet is not None  # noqa: S101  # it was given one
        statuses = self.instance.fleet.statuses()
        return psutil.Process(next(each.pid for each in statuses if each.gateway == WAYPOINT))

    def _on_change(self, change: Change) -> None:
        if not change.batch.changed and not change.batch.removed:
            return
        for changed in change.committed.resources.values():
            self.published += sum(1 for each in changed.values() if each is not None)
        for key in (*change.batch.changed, *change.batch.removed):
            self.waiting.pop(key, None)
        heard, self._heard = self._heard, []
        for each in heard:
            if not each.done():
                each.set_result(change)

    def _time_the_core(self) -> None:
        apply, begin = self.core.apply, self.core.begin

        def timed(*arguments: Any, **options: Any) -> Any:
            began = time.perf_counter()
            found = apply(*arguments, **options)
            self.core_seconds.append(time.perf_counter() - began)
            return found

        def timed_portions(objects: Iterable[Object]) -> Iterator[Committed]:
            began, others = time.perf_counter(), 0.0
            for committed in begin(objects):
                paused = time.perf_counter()
                yield committed
                others += time.perf_counter() - paused
            self.core_seconds.append(time.perf_counter() - began - others)

        self.core.apply = timed  # type: ignore[method-assign]
        self.core.begin = timed_portions  # type: ignore[method-assign]


def key_of(manifest: Manifest) -> Key:
    """The key of a manifest's object."""
    metadata = manifest["metadata"]
    namespace = "" if manifest["kind"] == "Namespace" else metadata["namespace"]
    return Key(manifest["kind"], namespace, metadata["name"])


def said(manifest: Manifest) -> Said:
    """A manifest as an API server tells it."""
    return manifest["kind"], key_of(manifest), encoded(manifest)


def _kind(name: str) -> Any:
    return by_kind(name)


@contextlib.asynccontextmanager
async def product(folder: Path, world: list[Said]) -> AsyncIterator[Product]:
    """Serai with these objects; its first batch is applied and its Envoy started when it begins."""
    source = Told(Scope())
    made = Product(_composed(folder, source), source)
    gc.disable()  # as the controller does while it reads; its start has it on again
    made.began = time.perf_counter()
    made.tell_encoded(world)
    world.clear()
    made.waiting.clear()
    await made.instance.start()
    following = asyncio.create_task(made.instance.follow())
    try:
        yield made
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await made.instance.stop(drain=False)


def _composed(folder: Path, source: Told) -> Standalone:
    instance, server = owned(folder, "serai"), AdsServer()
    fleet = Fleet(binary(), instance, bind_life=True)
    options = Options(bind_life=True, drain_seconds=5)
    core = Core(Settings())
    any_source: Any = source
    return Standalone(any_source, core, server, fleet, instance, options)


def owned(folder: Path, name: str) -> Instance:
    """A folder of state for one control plane."""
    instance = claim(folder, [name])
    if not isinstance(instance, Instance):
        raise SystemExit(instance.message)
    return instance


def binary() -> EnvoyBinary:
    """The Envoy that is used for everything."""
    found, problems = find_envoy()
    if found is None:
        raise SystemExit(problems[0].message)
    return found


@contextlib.asynccontextmanager
async def envoy_of(folder: Path, name: str) -> AsyncIterator[tuple[str, Fleet]]:
    """Where another control plane is to serve, and what runs the same Envoy for it."""
    instance = owned(folder, name)
    fleet = Fleet(binary(), instance, bind_life=True)
    try:
        yield str(instance.xds_socket), fleet
    finally:
        await fleet.stop(drain=False)
        instance.release()


async def run_envoy(fleet: Fleet, socket: str, name: str) -> psutil.Process:
    """Start an Envoy that asks there, with the bootstrap that Serai gives its own."""
    settings = BootstrapSettings(gateway=WAYPOINT, node_id=name, xds=UnixSocket(socket))
    await fleet.ensure(
        {WAYPOINT: GatewaySpec(bootstrap=render(bootstrap(settings)), drain_seconds=5)}
    )
    async with asyncio.timeout(PATIENCE):
        while not fleet.statuses()[0].pid:
            await asyncio.sleep(0.002)
    return psutil.Process(fleet.statuses()[0].pid)
