"""Who stands behind a backend, whoever it is, and why some do not."""

from __future__ import annotations

from pathlib import Path

from serai.views.endpoints import EndpointRow, endpoint_rows, opinions_in_words
from serai.views.explain import explain, text
from serai.views.services import service_rows
from serai.views.state import EndpointHealth, Facts
from unit.views.worlds import SHOP, state_of, written

ENTRY = """\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: legacy}
spec:
  hosts: [legacy.example]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  workloadSelector: {labels: {app: legacy}}
---
apiVersion: v1
kind: Pod
metadata: {name: ready, labels: {app: legacy}}
spec: {containers: [{name: c, image: i}]}
status: {podIP: 127.0.0.5, conditions: [{type: Ready, status: "True"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: leaving, labels: {app: legacy}, deletionTimestamp: "2026-01-01T00:00:00Z"}
spec: {containers: [{name: c, image: i}]}
status: {podIP: 127.0.0.6, conditions: [{type: Ready, status: "True"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: pending, labels: {app: legacy}}
spec: {containers: [{name: c, image: i}]}
---
apiVersion: v1
kind: Pod
metadata: {name: other, labels: {app: other}}
spec: {containers: [{name: c, image: i}]}
status: {podIP: 127.0.0.7, conditions: [{type: Ready, status: "True"}]}
"""

SLICES = """\
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: 127.66.0.9, ports: [{name: tcp, port: 5432}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
ports: [{name: tcp, port: 5432}]
endpoints:
  - {addresses: [127.0.0.8], conditions: {ready: true}}
  - {addresses: [127.0.0.9], conditions: {ready: false}}
"""

INLINE = """\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: out}
spec:
  hosts: [out.example]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.5}, {address: 127.0.0.6, weight: 3, locality: eu/a}]
"""


def by_source(rows: list[EndpointRow]) -> dict[str, str]:
    return {row.source: row.status for row in rows}


def test_workloads_that_are_no_endpoints_say_why(tmp_path: Path) -> None:
    state = written(tmp_path, ENTRY)

    assert by_source(endpoint_rows(state)) == {
        "Pod default/ready": "ready",
        "Pod default/leaving": "terminating",
        "Pod default/pending": "has no address",
    }
    (row,) = service_rows(state)
    assert (str(row.endpoints), row.endpoint_sources) == ("1/3", ("3 Pods",))


def test_slices_show_what_is_not_ready(tmp_path: Path) -> None:
    rows = endpoint_rows(written(tmp_path, SLICES))

    assert [(row.address, row.source, row.status) for row in rows] == [
        ("127.0.0.8:5432", "EndpointSlice default/db-1", "ready"),
        ("127.0.0.9", "EndpointSlice default/db-1", "not ready"),
    ]


def test_inline_endpoints_keep_weight_and_locality(tmp_path: Path) -> None:
    state = written(tmp_path, INLINE)

    assert [(row.source, row.weight, row.locality) for row in endpoint_rows(state)] == [
        ("inline", 1, ""),
        ("inline", 3, "eu/a"),
    ]
    assert service_rows(state)[0].endpoint_sources == ("2 inline",)


def test_what_envoys_find_unhealthy_is_not_counted(tmp_path: Path) -> None:
    sick = EndpointHealth("127.0.0.6:80", healthy=False, why="failed_active_hc")
    facts = Facts(health={"istio-se_default_out_out.example_80": (sick,)})
    state = written(tmp_path, INLINE, facts=facts)

    assert str(service_rows(state)[0].endpoints) == "1/2"
    assert [row.status for row in endpoint_rows(state)] == ["ready", "unhealthy: failed_active_hc"]


def test_names_are_resolved_by_envoy_alone() -> None:
    cluster = "istio-se_shop_payments_payments.example.com_80"
    seen = (EndpointHealth("127.0.0.41:80", healthy=True),)

    offline = state_of(SHOP)
    live = state_of(SHOP, facts=Facts(health={cluster: seen}))

    def payments(rows: list[EndpointRow]) -> list[tuple[str, str]]:
        return [(row.address, row.status) for row in rows if row.backend == cluster]

    assert payments(endpoint_rows(offline)) == [("payments.example.com:80", "resolved by Envoy")]
    assert payments(endpoint_rows(live)) == [("127.0.0.41:80", "ready")]
    counts = {row.name: str(row.endpoints) for row in service_rows(offline)}
    assert counts["payments"] == "-"
    assert {row.name: str(row.endpoints) for row in service_rows(live)}["payments"] == "1/1"


LEGACY = "istio-se_shop_legacy_legacy.shop.internal_8080"
PAYMENTS = "istio-se_shop_payments_payments.example.com_80"
WAYPOINT = "infra/waypoint"


def seen(cluster: str, facts: Facts) -> list[tuple[str, str, str]]:
    rows = (row for row in endpoint_rows(state_of(SHOP, facts=facts)) if row.backend == cluster)
    return [(row.address, row.status, opinions_in_words(row.envoys)) for row in rows]


def test_what_each_envoy_thinks_stands_beside_what_we_do() -> None:
    sick = EndpointHealth("127.0.0.21:18080", False, "failed_outlier_check", WAYPOINT)
    well = EndpointHealth("127.0.0.21:18080", True, "", WAYPOINT)

    def told(health: tuple[EndpointHealth, ...], *, answered: bool = True) -> tuple[str, str]:
        # The edge does not send to it, and has nothing to say.
        facts = Facts(
            live=True, answered={WAYPOINT: answered, "infra/edge": True}, health={LEGACY: health}
        )
        ((_, status, envoys),) = seen(LEGACY, facts)
        return status, envoys

    assert told((well,)) == ("ready", "healthy")
    assert told((sick,)) == (
        "unhealthy: failed_outlier_check",
        "unhealthy (failed_outlier_check)",
    )
    assert told(()) == ("ready", "absent")
    assert told((), answered=False) == ("ready", "unknown")


def test_envoys_that_differ_are_named() -> None:
    address = "127.0.0.21:18080"
    health = (
        EndpointHealth(address, True, "", WAYPOINT),
        EndpointHealth(address, False, "x", "infra/edge"),
    )

    ((_, status, envoys),) = seen(LEGACY, Facts(live=True, health={LEGACY: health}))

    assert (status, envoys) == (
        "unhealthy: x",
        "infra/edge unhealthy (x), infra/waypoint healthy",
    )


def test_a_name_of_which_envoy_found_nothing_has_no_endpoint() -> None:
    found = Facts(live=True, answered={WAYPOINT: True})
    silent = Facts(live=True, answered={WAYPOINT: False})

    def payments(facts: Facts) -> str:
        rows = service_rows(state_of(SHOP, facts=facts))
        return next(str(row.endpoints) for row in rows if row.name == "payments")

    assert seen(PAYMENTS, found) == [("payments.example.com:80", "no address found", "absent")]
    assert seen(PAYMENTS, silent) == [("payments.example.com:80", "resolved by Envoy", "unknown")]
    assert (payments(found), payments(silent)) == ("0/0", "-")


def test_an_address_that_two_envoys_resolve_is_one_endpoint() -> None:
    both = tuple(
        EndpointHealth("127.0.0.41:80", gateway != "infra/edge", "", gateway)
        for gateway in ("infra/edge", WAYPOINT)
    )
    facts = Facts(live=True, health={PAYMENTS: both})

    assert len(seen(PAYMENTS, facts)) == 1
    rows = service_rows(state_of(SHOP, facts=facts))
    assert next(str(row.endpoints) for row in rows if row.name == "payments") == "0/1"


def test_an_explanation_says_whose_envoy_does_not_answer() -> None:
    silent = Facts(live=True, answered={WAYPOINT: False})

    said = text(explain(state_of(SHOP, facts=silent), "legacy.shop.internal", ""))

    assert "1 endpoint, 1 healthy; the Envoy of infra/waypoint does not answer" in said


ELSEWHERE = """\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: out, namespace: shop}
spec:
  hosts: [out.example]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.5, serviceAccount: vm}, {network: far}, {address: 127.0.0.6}]
"""


def test_endpoints_say_who_they_are_and_which_only_another_network_has(tmp_path: Path) -> None:
    rows = endpoint_rows(written(tmp_path, ELSEWHERE))

    assert {(row.address, row.status, row.identity) for row in rows} == {
        ("127.0.0.5:80", "ready", "spiffe://cluster.local/ns/shop/sa/vm"),
        ("127.0.0.6:80", "ready", ""),
        ("", "no gateway of network far is known", ""),
    }


def test_why_a_workload_is_no_endpoint_depends_on_how_names_are_resolved(tmp_path: Path) -> None:
    case = Path(__file__).parents[2] / "cases/endpoints/a-selector-of-names/input.yaml"
    rows = endpoint_rows(written(tmp_path, case.read_text()))
    found = {
        (row.service.rpartition("/")[2], row.address): row.status
        for row in rows
        if row.status != "ready"
    }
    looked_up = "resolved by Envoy"
    assert found == {
        ("addresses", "localhost"): "a name, which STATIC does not look up",
        ("addresses", "sick.localhost"): "not ready",
        ("first", "127.7.11.2:17111"): looked_up,
        ("first", "127.7.11.1"): "DNS_ROUND_ROBIN takes the first only",
        ("first", "localhost"): "DNS_ROUND_ROBIN takes the first only",
        ("first", "sick.localhost"): "not ready",
        ("names", "127.7.11.1:17111"): looked_up,
        ("names", "127.7.11.2:17111"): looked_up,
        ("names", "localhost:17112"): looked_up,
        ("names", "sick.localhost"): "not ready",
    }
