"""What clients get because of where they are, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from property.worlds import built
from serai.api.meta import Key, Object
from serai.app.core import Committed, Core
from serai.incremental import Derived
from serai.ir.cluster import Locality
from serai.ir.viewpoint import Viewpoint
from serai.model.settings import Settings
from serai.proto.envoy import Cluster, ClusterLoadAssignment
from serai.proto.envoy import Node as NodeMessage
from serai.xds.node import viewpoint_of
from serai.xds.resource import ResourceKey, ResourceType
from serai.xds.snapshot import SnapshotKey
from serai.xds.wire import Node
from serai.xds.world import World

GATEWAY = Key("Gateway", "shop", "waypoint")
PROXY = "shop/waypoint"
A1 = Viewpoint(Locality("eu", "a"), node="m1", labels=(("pod", "1"),))
A2 = Viewpoint(Locality("eu", "a"), node="m2", labels=(("pod", "2"),))
B = Viewpoint(Locality("eu", "b"))
NEAR = ResourceKey(ResourceType.ENDPOINTS, "kube_shop_near_80")


def objects() -> Iterator[Object]:
    def of(kind: str, name: str, body: dict[str, Any], labels: dict[str, str]) -> Object:
        namespace = "" if kind == "Namespace" else "shop"
        return built(Key(kind, namespace, name), body, {"labels": labels})

    yield of("Namespace", "shop", {}, {"istio.io/use-waypoint": "waypoint"})
    yield of("Gateway", "waypoint", {"spec": {"gatewayClassName": "serai-waypoint"}}, {})
    for number, name in enumerate(("near", "any")):
        spec: dict[str, Any] = {
            "clusterIP": f"10.1.0.{number + 1}",
            "selector": {"app": name},
            "ports": [{"name": "http", "port": 80}],
        }
        spec |= {"trafficDistribution": "PreferSameZone"} if name == "near" else {}
        yield of("Service", name, {"spec": spec}, {})
        for zone in "ab":
            yield pod(name, zone, f"127.1.{number}.{ord(zone)}")


def pod(app: str, zone: str, address: str) -> Object:
    labels = {"app": app, "topology.istio.io/locality": f"eu.{zone}"}
    body = {"status": {"podIP": address}}
    return built(Key("Pod", "shop", f"{app}-{zone}"), body, {"labels": labels})


def world() -> Core:
    core = Core(Settings())
    core.apply(objects())
    return core


def seen(core: Core, viewpoint: Viewpoint | None) -> dict[str, int]:
    """The priority of each zone of the service that prefers."""
    row = core.pipeline.snapshot.row(SnapshotKey(GATEWAY, *NEAR, viewpoint))
    assert row is not None
    message: Any = ClusterLoadAssignment.FromString(row.body)
    return {each.locality.zone: each.priority for each in message.endpoints}


def test_each_place_has_its_own_priorities_and_all_else_is_shared() -> None:
    core = world()
    committed = core.look([(PROXY, A1), (PROXY, A2), (PROXY, B)])

    assert seen(core, A1) == seen(core, A2) == {"a": 0, "b": 1}
    assert seen(core, B) == {"a": 1, "b": 0}
    assert seen(core, None) == {"a": 0, "b": 0}
    assert committed.resources == {}
    assert {place: list(found or ()) for place, found in committed.places.items()} == {
        (PROXY, each): [NEAR] for each in (A1, A2, B)
    }


def test_an_endpoint_is_worked_out_once_for_all_that_see_it_alike() -> None:
    core = world()
    core.look([(PROXY, A1), (PROXY, A2), (PROXY, B)])
    [by_sight] = [
        each
        for each in core.pipeline.graph.nodes
        if isinstance(each, Derived) and each.name == "resources by sight"
    ]
    before = by_sight.calls

    near = core.apply([pod("near", "a", "127.1.0.9")])
    assert by_sight.calls - before == 2  # zones a and b, not three clients
    assert sent(near) == [(None, NEAR), *((each, NEAR) for each in (A1, A2, B))]

    other = core.apply([pod("any", "a", "127.1.1.9")])
    assert by_sight.calls - before == 2
    assert other.places == {}
    assert [key.name for _, key in sent(other)] == ["kube_shop_any_80"]


def sent(committed: Committed) -> list[tuple[Viewpoint | None, ResourceKey]]:
    shared = [(None, key) for key in committed.resources.get(PROXY, ())]
    placed = [(place[1], key) for place, found in committed.places.items() for key in found or ()]
    return [*shared, *sorted(placed, key=lambda each: (each[0] == B, each[0].node))]


def test_a_place_that_nobody_is_at_any_more_is_forgotten() -> None:
    core = world()
    core.look([(PROXY, A1), (PROXY, B)])
    committed = core.look([(PROXY, B)])

    assert committed.places == {(PROXY, A1): None}
    assert core.pipeline.snapshot.row(SnapshotKey(GATEWAY, *NEAR, A1)) is None
    assert seen(core, B) == {"a": 1, "b": 0}


def test_there_is_no_answer_for_a_place_before_it_is_worked_out() -> None:
    core, served = world(), World()
    served.apply(core.look([]).resources or {PROXY: {}})
    assert served.resources(PROXY) is not None
    assert served.resources(PROXY, A1) is None

    served.apply({PROXY: {NEAR: core.pipeline.snapshot.row(SnapshotKey(GATEWAY, *NEAR))}})
    served.look(core.look([(PROXY, A1)]).places)
    shared, own = served.resources(PROXY), served.resources(PROXY, A1)
    assert shared is not None
    assert own is not None
    assert own[NEAR.type][NEAR.name].version != shared[NEAR.type][NEAR.name].version
    assert list(own[NEAR.type]) == list(shared[NEAR.type])

    served.look(core.look([]).places)
    assert served.resources(PROXY, A1) is None


def test_a_client_is_where_it_says_or_where_its_pod_is() -> None:
    core = world()
    said = Viewpoint(Locality("us", "x"), "n1")
    assert core.locate(Node("w.shop", PROXY)) is None
    assert core.locate(Node("w.shop", PROXY, "envoy", said)) == said
    found = core.locate(Node("near-a.shop", PROXY))
    assert found is not None
    assert found.locality == Locality("eu", "a")
    ours = Core(Settings(locality="us/x", network="n1"))
    assert ours.locate(Node("w.shop", PROXY, "envoy", said)) is None


def test_a_node_says_where_it_is_as_istios_proxies_do() -> None:
    labels = {"topology.kubernetes.io/region": "eu", "topology.istio.io/network": "n9", "a": "b"}
    node = NodeMessage(
        id="x", metadata={"LABELS": labels, "NODE_NAME": "m1", "NETWORK": "n1", "CLUSTER_ID": "c"}
    )
    found = viewpoint_of(node)
    assert found is not None
    assert (found.locality, found.network, found.node) == (Locality("eu"), "n1", "m1")
    assert dict(found.labels) == {**labels, "topology.istio.io/cluster": "c"}
    assert viewpoint_of(NodeMessage(id="x", metadata={"LABELS": {}})) is None
    placed = viewpoint_of(NodeMessage(id="x", locality={"region": "r", "sub_zone": "s"}))
    assert placed == Viewpoint(Locality("r", "", "s"))


def test_names_are_in_the_cluster_so_that_is_what_differs() -> None:
    core = world()
    spec = {
        "hosts": ["named.example"],
        "addresses": ["240.1.1.1"],
        "resolution": "DNS",
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "endpoints": [
            {"address": "a.example", "locality": "eu/a"},
            {"address": "b.example", "locality": "eu/b"},
        ],
    }
    asked = {"networking.istio.io/traffic-distribution": "PreferClose"}
    entry = built(Key("ServiceEntry", "shop", "named"), {"spec": spec, "annotations": asked}, {})
    core.apply([entry])
    committed = core.look([(PROXY, B)])

    own = committed.places[PROXY, B]
    assert own is not None
    [row] = [each for key, each in own.items() if key.type is ResourceType.CLUSTER]
    assert row is not None
    message: Any = Cluster.FromString(row.body)
    found = message.load_assignment.endpoints
    assert {each.locality.zone: each.priority for each in found} == {"a": 1, "b": 0}


def test_a_gateway_says_where_its_envoys_run_by_the_labels_of_its_pods() -> None:
    """Gateway API: spec.infrastructure.labels; what they leave open the settings say."""
    labels = {"topology.kubernetes.io/region": "eu", "topology.kubernetes.io/zone": "b"}
    spec = {
        "gatewayClassName": "serai-waypoint",
        "infrastructure": {"labels": {**labels, "topology.istio.io/network": "n2"}},
    }
    core = Core(Settings(locality="eu/a", network="n1", node="m1"))
    core.apply([*objects(), built(Key("Gateway", "shop", "other"), {"spec": spec}, {})])
    proxies = core.pipeline.attached.proxies

    said, silent = proxies.row(Key("Gateway", "shop", "other")), proxies.row(GATEWAY)
    assert said is not None and silent is not None
    asked = tuple(sorted({**labels, "topology.istio.io/network": "n2"}.items()))
    assert said.viewpoint == Viewpoint(Locality("eu", "b"), "n2", "m1", asked)
    assert silent.viewpoint == Viewpoint(Locality("eu", "a"), "n1", "m1")
    nowhere = world().pipeline.attached.proxies.row(GATEWAY)
    assert nowhere is not None and nowhere.viewpoint is None
