"""What an endpoint's coming costs where services have no address, and where workloads are taken."""

from __future__ import annotations

from typing import Any

from property.worlds import built
from serai.api.meta import Key, Object
from serai.app.core import Core
from serai.model.settings import Settings

WAYPOINT = "shop/waypoint"


def of(kind: str, name: str, body: dict[str, Any], **labels: str) -> Object:
    named = {each.replace("__", "/").replace("_", "-"): value for each, value in labels.items()}
    asked = {f"istio.io/{each}": value for each, value in named.items() if each != "app"}
    asked |= {"app": named["app"]} if "app" in named else {}
    return built(Key(kind, "shop", name), body, {"labels": asked})


def pod(number: int, *, in_mesh: bool = False) -> Object:
    body: dict[str, Any] = {"status": {"podIP": f"10.0.{number // 200}.{number % 200 + 1}"}}
    if in_mesh:
        body["annotations"] = {"ambient.istio.io/redirection": "enabled"}
    return of("Pod", f"db-{number}", body, app="db", use_waypoint="waypoint")


def world(taken: str, *, in_mesh: bool = False) -> Core:
    core = Core(Settings())
    listeners = [{"name": "mesh", "port": 15008, "protocol": "HBONE"}] if in_mesh else []
    gateway = {"spec": {"gatewayClassName": "serai-waypoint", "listeners": listeners}}
    ports = [{"name": "http", "port": 80}, {"name": "web", "port": 81}]
    headless = {"spec": {"clusterIP": "None", "selector": {"app": "db"}, "ports": ports[:1]}}
    core.apply(
        [
            of("Gateway", "waypoint", gateway, waypoint_for=taken),
            of("Service", "db", headless, use_waypoint="waypoint"),
            *(pod(number, in_mesh=in_mesh) for number in range(300)),
        ]
    )
    return core


def changed(core: Core, number: int, *, in_mesh: bool = False) -> list[tuple[str, str]]:
    committed = core.apply([pod(number, in_mesh=in_mesh)])
    found = committed.resources.get(WAYPOINT, {})
    return sorted((key.type.name, key.name) for key in found)


def test_an_endpoint_of_a_headless_service_is_one_scope() -> None:
    found = changed(world("service"), 300)
    # It is also among those of whoever asks for the service by its name.
    assert found == [
        ("ENDPOINTS", "kube_shop_db_80"),
        ("SCOPE", "10.0.1.101~80"),
    ]


def test_so_it_is_in_the_mesh_and_beside_it() -> None:
    core = world("service", in_mesh=True)
    rows = [("ENDPOINTS", "kube_shop_db_80"), ("SCOPE", "10.0.1.101~80")]
    assert changed(core, 300, in_mesh=True) == rows
    outside = [("ENDPOINTS", "kube_shop_db_80"), ("SCOPE", "10.0.1.102~80")]
    assert [each for each in changed(core, 301) if each[0] in {"ENDPOINTS", "SCOPE"}] == outside
    node = core.pipeline.translated.scopes
    routes = [row.routes for key, row in node.items() if key.name in {rows[1][1], outside[1][1]}]
    assert sorted(routes) == [f"http_service_80_db_shop~own{way}" for way in ("", "~hbone")]


def test_a_workload_is_one_row_of_the_listeners() -> None:
    found = changed(world("workload"), 300)
    assert {kind for kind, _ in found} == {"LISTENER"}
    assert [name for _, name in found] == ["proxy_protocol_inbound"]


def test_nothing_is_computed_for_the_others() -> None:
    core = world("all")
    before = {node.name: node.calls for node in core.pipeline.graph.nodes if hasattr(node, "calls")}
    core.apply([pod(300)])
    calls = {
        node.name: node.calls - before[node.name]
        for node in core.pipeline.graph.nodes
        if hasattr(node, "calls")
    }
    assert max(calls.values()) <= 3, sorted(calls.items(), key=lambda each: -each[1])[:5]
