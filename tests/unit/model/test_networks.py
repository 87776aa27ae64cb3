"""Endpoints of another network are replaced by its entrances."""

from __future__ import annotations

from itertools import permutations
from typing import Any

from msgspec.structs import replace

from serai.api.decode import decode
from serai.api.meta import Object
from serai.app.core import Core
from serai.ir.cluster import Endpoint, Health
from serai.model.other_catalog import OtherCatalog
from serai.model.others import OtherGateway, OtherKey
from serai.model.settings import Settings
from serai.views.problems import found_by
from unit.model.elsewhere import GLOBAL, SETTINGS, namespace, pod, put, service, told

NETWORK = "topology.istio.io/network"
MESHED = {"networking.istio.io/tunnel": "http"}


def system(network: str) -> Object:
    meta = {"name": "istio-system", "labels": {NETWORK: network}}
    found = decode({"apiVersion": "v1", "kind": "Namespace", "metadata": meta}).object
    assert found is not None
    return found


def gateway(network: str, *addresses: str, class_name: str = "istio-east-west") -> Object:
    listed = [{"type": "IPAddress", "value": each} for each in addresses]
    listener = {"name": "cross", "port": 15008, "protocol": "HBONE"}
    here = class_name == "istio-remote"
    body = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {
            "name": f"to-{network}",
            "namespace": "istio-system",
            "labels": {NETWORK: network},
        },
        "spec": {
            "gatewayClassName": class_name,
            "listeners": [listener],
            **({"addresses": listed} if here else {}),
        },
        **({} if here else {"status": {"addresses": listed}}),
    }
    found = decode(body)
    assert found.object is not None, found.problems
    return found.object


def join(core: Core, *clusters: OtherCatalog) -> None:
    for each in clusters:
        for key, row in each.gateways.items():
            core.pipeline.inputs.other_gateways.put(OtherGateway(each.cluster, key), row)
    put(core, *clusters)


def world(here: list[Object], *clusters: OtherCatalog, settings: Settings = SETTINGS) -> Core:
    core = Core(settings)
    core.apply(here)
    join(core, *clusters)
    return core


def endpoints(core: Core) -> list[Endpoint]:
    found = core.pipeline.attached.catalog.endpoints.items()
    return [each for _, row in found for each in row]


def west(*objects: Object) -> OtherCatalog:
    return told("west", system("far"), service(), *objects)


def numbered(number: int, **more: Any) -> Object:
    found = pod(f"10.0.1.{number}", **{**more, **MESHED})
    return replace(found, metadata=replace(found.metadata, name=f"cart-{number}"))


def test_an_entrance_stands_for_all_behind_it() -> None:
    there = west(numbered(1), numbered(2), numbered(3), gateway("far", "192.0.2.1"))
    core = world([system("near"), service(), pod("10.0.0.1")], there)
    here, far = endpoints(core)
    assert (here.address, here.network, here.through) == ("10.0.0.1", "near", None)
    assert (far.address, far.port, far.weight, far.cluster) == ("192.0.2.1", 15008, 3, "west")
    assert far.through is not None
    assert far.through.authority == "cart.shop.svc.cluster.local:80"
    assert far.through.endpoints == 3


def test_several_entrances_share_what_is_behind_them() -> None:
    there = west(numbered(1), numbered(2), gateway("far", "192.0.2.1", "192.0.2.2"))
    found = endpoints(world([system("near"), service()], there))
    assert [(each.address, each.weight) for each in found] == [("192.0.2.1", 1), ("192.0.2.2", 1)]


def test_a_gateway_here_can_say_where_a_network_is_entered() -> None:
    here = gateway("far", "192.0.2.9", class_name="istio-remote")
    found = endpoints(world([system("near"), service(), here], west(numbered(1))))
    assert [each.address for each in found] == ["192.0.2.9"]


def test_a_network_without_an_entrance_is_not_reached_and_told() -> None:
    core = world([system("near"), service(), pod("10.0.0.1")], west(numbered(1)))
    assert [each.address for each in endpoints(core)] == ["10.0.0.1"]
    (problem,) = (each for each in found_by(core.pipeline) if each.code == "SER1214")
    assert "endpoints of west are in network far, we are in near" in problem.message
    join(core, west(numbered(1), gateway("far", "192.0.2.1")))
    assert [each.address for each in endpoints(core)] == ["10.0.0.1", "192.0.2.1"]
    assert not [each for each in found_by(core.pipeline) if each.code == "SER1214"]


def test_one_network_is_reached_as_it_is() -> None:
    there = told("west", system("near"), service(), numbered(1), gateway("near", "192.0.2.1"))
    found = endpoints(world([system("near"), service()], there))
    assert [(each.address, each.network) for each in found] == [("10.0.1.1", "near")]


def test_addresses_of_another_network_may_be_those_of_ours() -> None:
    there = west(numbered(1), gateway("far", "192.0.2.1"))
    found = endpoints(world([system("near"), service(), pod("10.0.1.1")], there))
    assert [each.address for each in found] == ["10.0.1.1", "192.0.2.1"]


def test_what_takes_no_tunnels_is_not_behind_an_entrance() -> None:
    there = west(pod("10.0.1.1"), gateway("far", "192.0.2.1"))
    assert endpoints(world([system("near"), service()], there)) == []


def test_an_entrance_is_as_healthy_as_what_is_behind_it() -> None:
    near = [system("near"), service(trafficDistribution="PreferClose"), pod("10.0.0.1")]
    there = west(numbered(1), numbered(2, ready=False), gateway("far", "192.0.2.1"))
    _, far = endpoints(world(near, there))
    assert (far.health, far.weight) == (Health.HEALTHY, 1)
    down = west(numbered(1, ready=False), numbered(2, ready=False), gateway("far", "192.0.2.1"))
    _, far = endpoints(world(near, down))
    assert far.health is Health.UNHEALTHY


def test_labels_that_all_behind_share_choose_subsets() -> None:
    there = west(
        numbered(1, version="v1"), numbered(2, version="v1", x="1"), gateway("far", "192.0.2.1")
    )
    (far,) = endpoints(world([system("near"), service()], there))
    assert dict(far.labels).items() >= {"version": "v1"}.items()
    assert "x" not in dict(far.labels)


def test_the_order_of_arrival_makes_no_difference() -> None:
    """Of our own objects, of clusters, and of a cluster that leaves between."""
    first = west(numbered(1), gateway("far", "192.0.2.1"))
    second = told("north", system("near"), service(), pod("10.0.0.1", version="v2"))
    third = told("south", service(), pod("10.0.0.1", version="v3"), namespace(**GLOBAL))
    here: list[Object] = [system("near"), service(), pod("10.0.0.9")]
    wanted = endpoints(world(here, first, second, third))
    assert len(wanted) == 3
    for order in permutations((first, second, third)):
        core = Core(SETTINGS)
        for number, each in enumerate(order):
            join(core, each)
            core.apply([here[number]])
        assert endpoints(core) == wanted
        gone = order[0]
        for backend in gone.backends.keys():  # noqa: SIM118  no dict
            core.pipeline.inputs.other_backends.drop(OtherKey(gone.cluster, backend))
        core.commit()
        assert endpoints(core) != wanted or gone is third
        join(core, gone)
        assert endpoints(core) == wanted
