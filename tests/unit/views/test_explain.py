"""Explanations of what transcripts do not show."""

from __future__ import annotations

from pathlib import Path

import pytest

from serai.views.explain import Explanation, explain, text
from serai.views.policies import policy_rows
from serai.views.state import State
from unit.views.worlds import SHOP, state_of, written

CASES = Path(__file__).parents[2] / "cases"

MESH = """\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: w, labels: {istio.io/waypoint-for: workload}}
spec: {gatewayClassName: serai-waypoint}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: v}
spec: {gatewayClassName: serai-waypoint}
---
apiVersion: v1
kind: Service
metadata: {name: a, labels: {istio.io/use-waypoint: w}}
spec: {clusterIP: 127.66.0.1, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: b, labels: {istio.io/use-waypoint: v}}
spec: {clusterIP: 127.66.0.1, ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: c, labels: {istio.io/use-waypoint: v}}
spec:
  hosts: ["*.wild.example"]
  addresses: [127.66.0.1]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r}
spec:
  parentRefs: [{group: '', kind: Service, name: a}, {name: v}]
  rules:
    - matches: [{path: {type: Exact, value: /x}, method: GET, queryParams: [{name: q, value: "1"}]}]
      filters: [{type: RequestRedirect, requestRedirect: {statusCode: 301}}]
    - matches: [{path: {type: RegularExpression, value: "/y.*"}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: theirs}
spec: {gatewayClassName: nginx, listeners: [{name: http, port: 80, protocol: HTTP}]}
"""


@pytest.fixture
def mesh(tmp_path: Path) -> State:
    return written(tmp_path, MESH)


def one(state: State, what: str, namespace: str = "") -> Explanation:
    (found,) = explain(state, what, namespace).found
    return found


def lines(found: Explanation, label: str) -> list[str]:
    return [part for line in found.lines if line.label == label for part in (line.text, *line.more)]


def test_why_a_service_is_not_captured(mesh: State) -> None:
    (why, because) = lines(one(mesh, "svc/a"), "not captured")

    assert "istio.io/waypoint-for" in why
    assert because == "because Service default/a has istio.io/use-waypoint=w"


def test_a_route_that_was_not_taken_is_shown_on_its_service(mesh: State) -> None:
    (line,) = lines(one(mesh, "svc/a"), "not attached")

    assert line.startswith("route default/r (Service default/a): Service default/a is not captured")


def test_a_port_that_cannot_be_reached_says_so(mesh: State) -> None:
    assert "UDP" in lines(one(mesh, "svc/b"), "port 53")[0]


def test_an_address_that_is_another_services_says_whose(mesh: State) -> None:
    assert "but 127.66.0.1:80 belongs to Service default/b" in lines(one(mesh, "se/c"), "port 80")


def test_a_wildcard_covers_a_host(mesh: State) -> None:
    assert one(mesh, "https://some.wild.example/x?y").name == "c"


def test_matches_and_actions_in_words(mesh: State) -> None:
    assert lines(one(mesh, "httproute/r"), "rules") == [
        "rule 0: GET, path exactly /x, query q=1 -> redirect 301",
        "rule 1: path matching /y.* -> answer 500",
    ]


def test_a_waypoint_says_what_it_has_not_captured_and_what_is_for_all(mesh: State) -> None:
    workload_waypoint, waypoint = one(mesh, "waypoint/w"), one(mesh, "waypoint/v")

    assert lines(workload_waypoint, "captures")[0].startswith("nothing")
    assert lines(workload_waypoint, "not captured")[0].startswith("Service default/a: ")
    assert lines(waypoint, "routes") == ["route default/r, for everything that it captures"]


def test_a_gateway_of_others_is_said_to_be_theirs(mesh: State) -> None:
    assert one(mesh, "gateway/theirs").headline[0].startswith("not ours: its class nginx")


def test_a_namespace_that_nobody_wrote(mesh: State) -> None:
    found = one(mesh, "ns/default")

    assert "not written in any file" in found.headline[0]
    assert lines(found, "services") == ["3 services, 2 captured"]


def test_a_workload_that_nothing_selects(tmp_path: Path) -> None:
    spec = "{containers: [{name: c, image: i}]}"
    pod = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {spec}\n"

    assert lines(one(written(tmp_path, pod), "workload/p"), "endpoint of") == [
        "nothing: no selector picks it"
    ]


def test_one_name_of_several_kinds_gives_each() -> None:
    state = state_of(SHOP)

    assert [each.kind for each in explain(state, "reviews").found] == ["Service"]
    assert [each.kind for each in explain(state, "waypoint").found] == ["Gateway"]
    assert explain(state, "reviews", "elsewhere").message.startswith("there is no host")


def test_a_name_as_tables_show_it_needs_no_kind() -> None:
    state = state_of(SHOP)

    assert [each.kind for each in explain(state, "shop/reviews").found] == ["Service"]
    assert explain(state, "shop/nobody").message == "there is no kind 'shop'"


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("paymnts.example.com", "did you mean payments.example.com?"),
        ("svc/reviws", "did you mean service/reviews.shop?"),
        ("servce/reviews", "there is no kind 'servce'; did you mean services?"),
        ("", "there is no host"),
        ("/", "there is no kind ''"),
    ],
)
def test_what_is_not_there_says_so_and_what_is_near(what: str, message: str) -> None:
    found = explain(state_of(SHOP), what)

    assert not found.found and message in found.message and text(found) == found.message


CONSUMER = """\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: w, namespace: infra}
spec:
  gatewayClassName: serai-waypoint
  listeners:
    - {name: m, port: 15088, protocol: istio.io/PROXY, allowedRoutes: {namespaces: {from: All}}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: e, namespace: infra, labels: {istio.io/use-waypoint: w}}
spec:
  hosts: [a.example, b.example]
  addresses: [127.66.0.1]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: shop}
spec:
  parentRefs: [{group: networking.istio.io, kind: Hostname, name: a.example}]
  rules: [{matches: [{path: {value: /v1}}]}]
"""


def test_routes_of_a_consumer_and_what_else_its_clients_get(tmp_path: Path) -> None:
    said = lines(one(written(tmp_path, CONSUMER), "se/e"), "port 80")

    mine, theirs = said[:3], said[3:]
    assert all(line.startswith("a.example and any other host: ") for line in mine)
    assert "rule 0: paths below /v1, from clients of namespace shop -> answer 500" in mine[0]
    assert mine[1].endswith("whatever else clients of namespace shop ask for -> answer 404")
    assert mine[2].endswith("the default route -> istio-se_infra_e_a.example_80")
    assert theirs == ["b.example: the default route -> istio-se_infra_e_b.example_80"]


def test_the_policies_on_a_service_and_on_its_waypoint_are_named(tmp_path: Path) -> None:
    (tmp_path / "world.yaml").write_text(
        (CASES / "policies" / "shaping-of-requests" / "input.yaml").read_text()
    )
    (tmp_path / "more.yaml").write_text(
        "apiVersion: gateway.kgateway.dev/v1alpha1\nkind: TrafficPolicy\n"
        "metadata: {name: of-all, namespace: shop}\n"
        "spec:\n  targetRefs:\n"
        "  - {group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}\n"
        "  timeouts: {request: 9s}\n"
    )
    (found,) = explain(state_of(tmp_path), "vendor.example").found

    (line,) = [each for each in found.lines if each.label == "policies"]
    assert line.text.startswith("TrafficPolicy shop/of-the-entry (compression.responseCompression")
    assert "headerModifiers" in line.text
    assert line.more == ("TrafficPolicy shop/of-all (timeouts)",)


def test_listener_policies_are_named_on_their_gateway(tmp_path: Path) -> None:
    (tmp_path / "world.yaml").write_text(
        (CASES / "policies" / "listener-policies-by-field" / "input.yaml").read_text()
    )
    (found,) = explain(state_of(tmp_path), "gateway/edge.shop").found

    (line,) = [each for each in found.lines if each.label == "policies"]
    assert sorted((line.text, *line.more)) == [
        "HTTPListenerPolicy shop/older (serverName)",
        "ListenerPolicy shop/all (earlyRequestHeaderModifier, healthCheck, serverName)",
        "ListenerPolicy shop/of-two (healthCheck)",
    ]
    rows = {row.name: row.targets for row in policy_rows(state_of(tmp_path))}
    assert rows["all"] == ("Gateway with tier=edge",)


def test_who_takes_a_workloads_own_address_is_said(tmp_path: Path) -> None:
    source = CASES / "capture" / "headless-by-its-endpoints" / "input.yaml"
    (tmp_path / "world.yaml").write_text(source.read_text())
    state = state_of(tmp_path)

    def lines(what: str) -> dict[str, tuple[str, ...]]:
        (found,) = explain(state, what).found
        return {each.label: (each.text, *each.more) for each in found.lines}

    assert lines("pod/db-0.shop")["captured by"] == (
        "shop/everything at its own address",
        "because Pod shop/db-0 has istio.io/use-waypoint=everything",
    )
    assert lines("pod/in-vain.shop")["not captured"][0].startswith("at its own address: attempting")
    assert "shop/db" in lines("service/db.shop")["port 80"][0]


def test_policies_that_cannot_be_read_are_named_where_they_refuse_all(tmp_path: Path) -> None:
    case = CASES / "authorization" / "what-cannot-be-read-denies" / "input.yaml"
    (tmp_path / "a.yaml").write_text(case.read_text())
    state = state_of(tmp_path)
    for host, name in (("named.example", "shop/named"), ("vault.example", "bank/vault")):
        (line,) = [each for each in one(state, host).lines if each.label == "policies"]
        assert line.text == (
            f"AuthorizationPolicy {name} (AuthorizationPolicy cannot be used: all is refused)"
        )
    targets = {row.name: row.targets for row in policy_rows(state)}
    assert targets["vault"] == ("all that it can apply to (unreadable)",)
    assert targets["tried"] == ("nothing (unreadable)",)
