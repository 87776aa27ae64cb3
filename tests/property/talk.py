"""An Envoy that keeps to the rules, however its answers and ours are interleaved."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from serai.proto.envoy import (
    Cluster,
    ClusterLoadAssignment,
    RouteConfiguration,
    ScopedRouteConfiguration,
)
from serai.xds.conversation import Memory
from serai.xds.delta import DeltaRequest, DeltaResponse, DeltaStream
from serai.xds.resource import Resource, ResourceKey, ResourceType
from serai.xds.world import Entry, World

C, E, S, R = (
    ResourceType.CLUSTER,
    ResourceType.ENDPOINTS,
    ResourceType.SCOPE,
    ResourceType.ROUTES,
)


PROXY = "shop/waypoint"


NAMES = ("a", "b", "c", "d")


def made(type_: ResourceType, name: str, version: str, to: tuple[str, ...] = ()) -> Resource:
    body: Any
    if type_ is C:
        body = Cluster(name=name, type="EDS")
    elif type_ is E:
        body = ClusterLoadAssignment(cluster_name=name)
    elif type_ is S:
        body = ScopedRouteConfiguration(name=name, route_configuration_name=to[0])
    else:
        actions = [{"route": {"cluster": cluster}} for cluster in to]
        body = RouteConfiguration(name=name, virtual_hosts=[{"name": "v", "routes": actions}])
    return Resource(type_, name, version, body.SerializeToString())


class Envoy:
    """What matters of Envoy: what it has, asks for, and says."""

    def __init__(self, choose: Any) -> None:
        self.choose = choose
        self.applied: dict[ResourceType, dict[str, Entry]] = {type_: {} for type_ in (C, E, S, R)}
        self.accepted: dict[ResourceType, dict[str, Entry]] = {type_: {} for type_ in (C, E, S, R)}
        self.asked: dict[ResourceType, set[str]] = {E: set(), R: set()}
        self.warming: set[str] = set()
        self.stuck: set[str] = set()
        self.withheld: list[DeltaRequest] = []
        self.says: deque[DeltaRequest] = deque()
        self.reads: deque[DeltaResponse] = deque()

    def connect(self) -> None:
        self.says.clear()
        self.reads.clear()
        self.withheld.clear()
        self.applied = {type_: dict(accepted) for type_, accepted in self.accepted.items()}
        self.asked = {E: set(self.applied[C]), R: self.named(S)}
        for type_ in (C, E, S, R):
            names = tuple(sorted(self.asked.get(type_, ())))
            if type_ in self.asked and not names:
                continue
            has = {
                name: entry.version
                for name, entry in self.accepted[type_].items()
                if type_ not in self.asked or name in names
            }
            self.says.append(DeltaRequest(type_, subscribe=names, initial_versions=has))

    def named(self, type_: ResourceType) -> set[str]:
        return {key.name for entry in self.applied[type_].values() for key in entry.references}

    def read(self) -> None:
        response = self.reads.popleft()
        bad = [entry for entry in response.resources if entry.version.endswith("!")]
        partial = bool(bad)
        for name in response.removed:
            if not partial or self.choose():
                self.forget(response.type, name)
        for entry in response.resources:
            if entry not in bad and (not partial or self.choose()):
                self.take(entry)
        if not partial:
            for name in response.removed:
                self.accepted[response.type].pop(name, None)
            self.accepted[response.type].update(
                {
                    entry.name: entry
                    for entry in response.resources
                    if entry.name in self.applied[response.type]
                }
            )
        self.ask()
        error = f"bad: {bad[0].name}" if bad and self.choose() else "bad" if bad else None
        answer = DeltaRequest(response.type, nonce=response.nonce, error=error)
        if response.type is E:
            for name in {*response.removed, *(entry.name for entry in response.resources)}:
                self.warming.discard(name)
        (self.withheld if response.type is C else self.says).append(answer)
        self.release()

    def release(self) -> None:
        if not (self.warming | self.stuck) & self.applied[C].keys():
            self.says.extend(self.withheld)
            self.withheld.clear()

    def give_up_waiting(self) -> None:
        """After initial_fetch_timeout (15 s) clusters do without endpoints."""
        self.warming.clear()
        self.release()

    def take(self, entry: Entry) -> None:
        type_ = entry.resource.type
        if type_ in self.asked and entry.name not in self.asked[type_]:
            return
        if type_ is C and entry.name not in self.applied[C]:
            self.warming.add(entry.name)
        self.applied[type_][entry.name] = entry

    def forget(self, type_: ResourceType, name: str) -> None:
        if type_ in (C, S):
            self.applied[type_].pop(name, None)
        if type_ is C:
            self.warming.discard(name)
            self.stuck.discard(name)

    def ask(self) -> None:
        for type_, namer in ((E, C), (R, S)):
            want, has = self.named(namer), self.asked[type_]
            if want != has:
                for name in has - want:
                    self.applied[type_].pop(name, None)
                    self.accepted[type_].pop(name, None)
                new, old = tuple(sorted(want - has)), tuple(sorted(has - want))
                self.says.append(DeltaRequest(type_, subscribe=new, unsubscribe=old))
                self.asked[type_] = want

    def dangling(self) -> Iterator[tuple[Entry, str]]:
        """Routes in force, and clusters they name, that are missing or can't be used yet."""
        active = {name for name in self.named(S) if name in self.applied[R]}
        for name in active:
            for key in self.applied[R][name].references:
                missing = key.name not in self.applied[C]
                if missing or (key.name in self.warming and key.name not in self.stuck):
                    yield self.applied[R][name], key.name


class Talk(RuleBasedStateMachine):
    """A server's side and Envoy's, with queues between them."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.stream: DeltaStream
        self.count = 0
        self.wanted: dict[ResourceKey, Resource] = {}
        self.world = World()
        self.world.apply({PROXY: {}})
        self.doomed: set[tuple[str, str]] = set()
        """Versions of routes, and clusters they name that Envoy refused: nothing helps them."""

    @initialize(random=st.randoms(use_true_random=False))
    def start(self, random: Any) -> None:
        self.envoy = Envoy(lambda: random.random() < 0.5)
        self.reconnect(restart=True)

    def put(self, type_: ResourceType, name: str, *to: str, bad: bool = False) -> Resource:
        self.count += 1
        return made(type_, name, f"{self.count}{'!' if bad else ''}", to)

    def commit(self, *resources: Resource, gone: tuple[ResourceKey, ...] = ()) -> None:
        batch: dict[ResourceKey, Resource | None] = {made.key: made for made in resources}
        batch.update(dict.fromkeys(gone))
        for key, resource in batch.items():
            if resource is None:
                self.wanted.pop(key, None)
            else:
                self.wanted[key] = resource
        self.doomed.update(
            (resource.version, name)
            for key, resource in self.wanted.items()
            if key.type is R
            for name in self.clusters()
            if self.wanted[ResourceKey(C, name)].version.endswith("!")
        )
        changed = self.world.apply({PROXY: batch})[PROXY]
        self.envoy.reads.extend(self.stream.update(changed, self.now))

    def clusters(self) -> list[str]:
        return sorted(key.name for key in self.wanted if key.type is C)

    @rule(name=st.sampled_from(NAMES), bad=st.sampled_from([None] * 6 + [C, E, S, R]))
    def add_service(self, name: str, bad: ResourceType | None) -> None:
        if ResourceKey(C, name) not in self.wanted:
            self.commit(
                self.put(R, f"r{name}", name, bad=bad is R),
                self.put(S, f"s{name}", f"r{name}", bad=bad is S),
                self.put(E, name, bad=bad is E),
                self.put(C, name, bad=bad is C),
            )

    @rule(name=st.sampled_from(NAMES), to=st.sampled_from(NAMES))
    def remove_service(self, name: str, to: str) -> None:
        """Routes of others that named its cluster now name another, or none."""
        if ResourceKey(C, name) not in self.wanted:
            return
        gone = (
            ResourceKey(C, name),
            ResourceKey(E, name),
            ResourceKey(S, f"s{name}"),
            ResourceKey(R, f"r{name}"),
        )
        left = [to] if to != name and to in self.clusters() else []
        turned = [
            self.put(R, key.name, *left)
            for key, resource in self.wanted.items()
            if key.type is R and key not in gone and self.names(resource, name)
        ]
        self.commit(*turned, gone=gone)

    def names(self, route: Resource, cluster: str) -> bool:
        return cluster in {key.name for key in Entry(route).references}

    @rule(name=st.sampled_from(NAMES), type_=st.sampled_from([C, E]), bad=st.booleans())
    def change(self, name: str, type_: ResourceType, *, bad: bool) -> None:
        if ResourceKey(type_, name) in self.wanted:
            self.commit(self.put(type_, name, bad=bad))

    @rule(name=st.sampled_from(NAMES), to=st.sets(st.sampled_from(NAMES)), bad=st.booleans())
    def turn_route(self, name: str, to: set[str], *, bad: bool) -> None:
        if ResourceKey(R, f"r{name}") in self.wanted:
            self.commit(self.put(R, f"r{name}", *sorted(to & {*self.clusters()}), bad=bad))

    @rule(name=st.sampled_from(NAMES))
    def get_stuck(self, name: str) -> None:
        """A cluster with health checks that take their time."""
        if name in self.envoy.warming:
            self.envoy.stuck.add(name)

    @rule()
    def get_unstuck(self) -> None:
        self.envoy.stuck.clear()
        self.envoy.release()

    @precondition(lambda self: self.envoy.reads)
    @rule(times=st.integers(1, 4))
    def envoy_reads(self, times: int) -> None:
        for _ in range(min(times, len(self.envoy.reads))):
            self.envoy.read()

    @precondition(lambda self: self.envoy.says)
    @rule(times=st.integers(1, 4))
    def server_reads(self, times: int) -> None:
        for _ in range(min(times, len(self.envoy.says))):
            request = self.envoy.says.popleft()
            self.envoy.reads.extend(self.stream.receive(request, self.now))

    @rule(messages=st.integers(1, 40))
    def both_read(self, messages: int) -> None:
        for _ in range(messages):
            if self.envoy.reads:
                self.envoy.read()
                self.routes_find_their_clusters()
            if self.envoy.says:
                self.server_reads(1)

    @precondition(lambda self: not self.envoy.says)
    @rule(seconds=st.sampled_from([0.1, 1.1, 2.1]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.envoy.reads.extend(self.stream.tick(self.now))

    @rule(restart=st.booleans())
    def reconnect(self, *, restart: bool) -> None:
        memory = Memory() if restart else self.stream.memory()
        self.stream = DeltaStream(self.world.resources(PROXY), memory)
        self.envoy.connect()

    @invariant()
    def routes_find_their_clusters(self) -> None:
        if not hasattr(self, "envoy"):
            return
        for route, cluster in self.envoy.dangling():
            doomed = (route.version, cluster) in self.doomed
            assert doomed, f"{route} is in force without {cluster}"

    def teardown(self) -> None:
        if not hasattr(self, "envoy"):
            return
        self.envoy.stuck.clear()
        self.envoy.release()
        for _ in range(100):
            if not (self.envoy.says or self.envoy.reads):
                self.now += 2.5
                self.envoy.give_up_waiting()
                self.envoy.reads.extend(self.stream.tick(self.now))
                if not (self.envoy.says or self.envoy.reads):
                    break
            while self.envoy.reads:
                self.envoy_reads(1)
                self.routes_find_their_clusters()
            while self.envoy.says:
                self.server_reads(1)
        else:
            pytest.fail("the two never come to rest")
        self.converged()

    def in_force(self, cluster: str) -> bool:
        """Whether a route that can't be replaced names the cluster, or may for all we know."""
        ledger = self.stream.conversation.ledgers.get(R)
        routes = self.envoy.applied[R]
        return ledger is not None and (
            ledger.strangers > 0
            or any(
                cluster in {key.name for key in routes[name].references}
                for name in ledger.rejected
                if name in routes
            )
        )

    def converged(self) -> None:
        refused = {key: r.version for key, r in self.stream.conversation.rejections().items()}
        for type_, has in self.envoy.applied.items():
            for name, entry in has.items():
                want = self.wanted.get(ResourceKey(type_, name))
                if type_ in (C, S):
                    assert want is not None or self.in_force(name), (type_, name)
                if want is not None and not want.version.endswith("!"):
                    assert entry.version == want.version, (type_, name)
        for key, want in self.wanted.items():
            if key.type in self.envoy.asked and key.name not in self.envoy.asked[key.type]:
                continue
            if want.version.endswith("!"):
                assert refused.get(key) == want.version, key
            else:
                assert key.name in self.envoy.applied[key.type], key
                assert key not in refused
        assert not [key for key in refused if key not in self.wanted]
