"""The law of the incremental core: after any changes, what is equals what would be from scratch."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from property.worlds import EDITS, PLACES, built, edited, keys, objects, worlds
from serai.api.meta import Key, Object
from serai.app.core import Core
from serai.incremental import Derived, Transient
from serai.ir.viewpoint import Viewpoint
from serai.model.settings import Settings
from serai.proto.envoy import ClusterLoadAssignment
from serai.xds.resource import Resource, ResourceType
from serai.xds.snapshot import SnapshotKey

LAW = settings(deadline=None, suppress_health_check=list(HealthCheck))


class Batch(NamedTuple):
    """What one commit changes."""

    changed: list[Object]
    removed: list[Key]
    edits: list[tuple[int, str]]
    """Small changes to what there is, by position."""
    places: list[tuple[str, Viewpoint]]
    """Where clients are, from then on."""


batches = st.builds(
    Batch,
    changed=st.lists(objects(), max_size=2),
    removed=st.lists(keys(), max_size=1),
    edits=st.lists(st.tuples(st.integers(0, 19), st.sampled_from(EDITS)), max_size=2),
    places=st.lists(st.sampled_from(PLACES), max_size=3),
)


def everything(world: Core) -> dict[str, dict[Any, Any]]:
    pipe = world.pipeline
    assert not pipe.graph.failures
    return {
        "snapshot": dict(pipe.snapshot.items()),
        "statuses": dict(pipe.statuses.items()),
        "problems": dict(pipe.problems.items()),
        **{
            each.name: dict(each.items())
            for each in pipe.graph.nodes
            if isinstance(each, Transient)
        },
    }


def from_scratch(objects: Iterable[Object]) -> Core:
    world = Core(Settings())
    world.apply(objects, keep=False)
    return world


@LAW
@given(first=worlds, later=st.lists(batches, max_size=6), seed=st.randoms())
def test_incremental_equals_scratch(first: list[Object], later: list[Batch], seed: Random) -> None:
    world = Core(Settings())
    held: dict[Key, Object] = {}
    for batch in [Batch(first, [], [], []), *later]:
        changed = {each.key: each for each in (*_edits(held, batch.edits), *batch.changed)}
        gone = [key for key in batch.removed if key not in changed]
        held.update(changed)
        for key in gone:
            held.pop(key, None)
        world.apply(changed.values(), gone, keep=False)
        world.look(batch.places)

        shuffled = list(held.values())
        seed.shuffle(shuffled)
        scratch = from_scratch(shuffled)
        scratch.look(batch.places)
        _compare(everything(world), everything(scratch))
        _have_no_gaps(world)


def _have_no_gaps(world: Core) -> None:
    """Priorities begin with 0 and leave none out.  Envoy: LocalityLbEndpoints.priority."""
    for key, row in world.pipeline.snapshot.items():
        if key.resource.type is ResourceType.ENDPOINTS:
            message: Any = ClusterLoadAssignment.FromString(row.body)
            priorities = sorted({each.priority for each in message.endpoints})
            assert priorities == list(range(len(priorities))), key


def _edits(held: dict[Key, Object], edits: list[tuple[int, str]]) -> Iterable[Object]:
    keys = list(held)
    for position, edit in edits if held else ():
        yield edited(held[keys[position % len(keys)]], edit)


def _compare(incremental: dict[str, dict[Any, Any]], scratch: dict[str, dict[Any, Any]]) -> None:
    for name, rows in scratch.items():
        found = incremental[name]
        different = {
            key: (found.get(key), rows.get(key))
            for key in found.keys() | rows.keys()
            if found.get(key) != rows.get(key)
        }
        assert not different, name


@LAW
@given(held=worlds, which=st.integers(0, 19))
def test_an_object_that_goes_takes_only_its_own_with_it(held: list[Object], which: int) -> None:
    by_key = {each.key: each for each in held}
    gone = list(by_key)[which % len(by_key)]
    world = from_scratch(by_key.values())
    before = dict(world.pipeline.snapshot.items())
    # What stays keeps the VIPs it has.
    world.apply([], [gone])
    after = dict(world.pipeline.snapshot.items())
    for key in before.keys() | after.keys():
        if before.get(key) != after.get(key):
            assert _is_concerned(gone, key, before.get(key), after.get(key)), key


def _is_concerned(
    gone: Key, key: SnapshotKey, before: Resource | None, after: Resource | None
) -> bool:
    """Whether a resource may change when an object goes."""
    kind = key.resource.type
    comes_or_goes = before is None or after is None
    origins = {origin.key for each in (before, after) if each for origin in each.origins}
    match gone.kind:
        case "Secret" | "ConfigMap":
            return False
        case "Pod" | "EndpointSlice" | "WorkloadEntry" | "Node":
            return kind is ResourceType.ENDPOINTS
        case "HTTPRoute":
            is_route = kind is ResourceType.ROUTES and gone in origins
            is_cluster = kind in {ResourceType.CLUSTER, ResourceType.ENDPOINTS}
            return is_route or (is_cluster and comes_or_goes)
        case "ReferenceGrant":
            is_cluster = kind in {ResourceType.CLUSTER, ResourceType.ENDPOINTS}
            return kind is ResourceType.ROUTES or (is_cluster and comes_or_goes)
        case "Service" | "ServiceEntry":
            # Entries of one namespace with one host have one list of endpoints.
            alike = {(each.kind, each.namespace) for each in origins}
            shared = kind in {ResourceType.CLUSTER, ResourceType.ENDPOINTS}
            own = gone in origins or (shared and ("ServiceEntry", gone.namespace) in alike)
            # Whoever has a host after it has the plain name in the stats.
            own = own or kind is ResourceType.CLUSTER
            return own or comes_or_goes or kind in {ResourceType.ROUTES, ResourceType.LISTENER}
        case _:
            return True


def test_the_work_of_an_endpoint_does_not_grow_with_the_number_of_services() -> None:
    assert _calls_for_one_endpoint(20) == _calls_for_one_endpoint(200)


def _calls_for_one_endpoint(services: int) -> int:
    world = from_scratch(_many(services))
    nodes = [each for each in world.pipeline.graph.nodes if isinstance(each, Derived)]
    before = sum(node.calls for node in nodes)
    changed = world.apply([_pod(7, "127.9.9.9")])
    assert {key.type for proxy in changed.resources.values() for key in proxy} == {
        ResourceType.ENDPOINTS
    }
    return sum(node.calls for node in nodes) - before


def _many(services: int) -> Iterable[Object]:
    yield _object("Namespace", "", "shop", {}, {"istio.io/use-waypoint": "waypoint"})
    yield _object("Gateway", "shop", "waypoint", {"spec": {"gatewayClassName": "serai-waypoint"}})
    for number in range(services):
        spec = {
            "clusterIP": f"10.1.{number // 250}.{number % 250 + 1}",
            "selector": {"app": f"a{number}"},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
        }
        yield _object("Service", "shop", f"s{number}", {"spec": spec})
        yield _pod(number, f"127.1.{number // 250}.{number % 250 + 1}")


def _pod(number: int, address: str) -> Object:
    status = {"status": {"podIP": address}}
    return _object("Pod", "shop", f"p{number}", status, {"app": f"a{number}"})


def _object(
    kind: str, namespace: str, name: str, body: dict[str, Any], labels: dict[str, str] | None = None
) -> Object:
    return built(Key(kind, namespace, name), body, {"labels": labels or {}})
