"""Manifests in a folder, requests through real Envoy."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from live.mesh import HOST_BAD, REFUSED, entry, mesh, refuse_one, route, to_host
from live.serving import Place, answer, echoed, eventually, pod, serving, workload
from serai.app.client.http import HttpAnswer

pytestmark = pytest.mark.live

PARTNER = "spiffe://cluster.local/ns/partner/sa/cart"
OTHER = "spiffe://cluster.local/ns/other/sa/cart"


HOST = "{{group: networking.istio.io, kind: Hostname, name: {}}}"


async def test_a_service_from_pods_and_an_entry_are_captured_alike(tmp_path: Path) -> None:
    place = Place()
    one, two, vip = place.address(), place.address(), place.address()
    pods = f"""
        apiVersion: v1
        kind: Service
        metadata: {{name: cart, namespace: shop}}
        spec:
          clusterIP: {vip}
          selector: {{app: cart}}
          ports: [{{name: http, port: 8000, targetPort: web}}]
        ---
        apiVersion: v1
        kind: Pod
        metadata: {{name: cart-1, namespace: shop, labels: {{app: cart}}}}
        spec: {{containers: [{{name: c, ports: [{{name: web, containerPort: 3000}}]}}]}}
        status: {{podIP: {one}}}
        """
    files = {
        "mesh.yaml": mesh(place),
        "cart.yaml": pods,
        "pay.yaml": entry("pay", "240.0.0.7", two),
    }
    echoes = [workload(one, 3000, "cart-1"), workload(two, 3000, "pay-1")]
    async with serving(tmp_path, files, echoes, place) as served:
        assert pod(await served.to_vip(vip, 8000)) == "cart-1"
        assert pod(await served.to_vip("240.0.0.7", 8000)) == "pay-1"
        assert pod(await served.to(vip, 8000)) == "cart-1"
        assert answer(await served.to_vip("240.0.0.8", 8000)).status == 404
        told = echoed(await served.to_vip(vip, 8000, "/a?b=c", x_serai_destination="1.2.3.4:5"))
        assert told["path"] == "/a?b=c"
        assert "X-Serai-Destination" not in told["headers"]


@pytest.mark.parametrize(
    "parent",
    [
        "{name: waypoint}",
        "{group: networking.istio.io, kind: ServiceEntry, name: pay}",
        HOST.format("pay.example.com"),
    ],
    ids=["gateway", "entry", "hostname"],
)
async def test_each_kind_of_parent(tmp_path: Path, parent: str) -> None:
    place = Place()
    one, two = place.address(), place.address()
    rules = f"[{{backendRefs: [{to_host('other.example.com')}]}}]"
    files = {
        "mesh.yaml": mesh(place),
        "pay.yaml": entry("pay", "240.0.0.7", one),
        "other.yaml": entry("other", "240.0.0.9", two),
        "route.yaml": route("r", parent.replace("{{", "{").replace("}}", "}"), rules),
    }
    echoes = [workload(one, 3000, "pay-1"), workload(two, 3000, "other-1")]
    async with serving(tmp_path, files, echoes, place) as served:
        assert pod(await served.to_vip("240.0.0.7", 8000)) == "other-1"


async def test_the_identity_in_the_tlv_decides_and_loopback_has_none(tmp_path: Path) -> None:
    place = Place()
    one, two, vip = place.address(), place.address(), place.address()
    rules = f"[{{backendRefs: [{to_host('other.example.com')}]}}]"
    files = {
        "mesh.yaml": mesh(place),
        "pay.yaml": entry("pay", vip, one),
        "other.yaml": entry("other", "240.0.0.9", two),
        "route.yaml": route(
            "consumer",
            "{group: networking.istio.io, kind: Hostname, name: pay.example.com}",
            rules,
            namespace="partner",
        ),
    }
    echoes = [workload(one, 3000, "pay-1"), workload(two, 3000, "other-1")]
    async with serving(tmp_path, files, echoes, place) as served:
        assert pod(await served.to_vip(vip, 8000, as_=PARTNER)) == "other-1"
        assert pod(await served.to_vip(vip, 8000, as_=OTHER)) == "pay-1"
        assert pod(await served.to_vip(vip, 8000)) == "pay-1"
        assert pod(await served.to(vip, 8000)) == "pay-1"


async def test_each_host_of_an_entry_has_its_own_backend(tmp_path: Path) -> None:
    place = Place()
    one, two = place.address(), place.address()
    dns = """
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {name: both, namespace: shop}
        spec:
          hosts: [localhost, other.example.com]
          addresses: [240.0.0.7]
          ports: [{number: 8000, name: http, protocol: HTTP, targetPort: {}}]
          resolution: DNS
        """
    files = {"mesh.yaml": mesh(place), "pay.yaml": entry("pay", "240.0.0.8", one)}
    del dns
    files["two.yaml"] = entry("two", "240.0.0.7", two, hosts="a.example.com, b.example.com")
    async with serving(tmp_path, files, [workload(two, 3000, "two-1")], place) as served:
        for host in ("a.example.com", "b.example.com", "unknown.example.com"):
            assert pod(await served.to_vip("240.0.0.7", 8000, host=host)) == "two-1"
        log = Path(served.instance.fleet.statuses()[0].access_log)  # type: ignore[union-attr]

        async def clusters() -> HttpAnswer:
            return answer(await served.to_vip("240.0.0.7", 8000, host="b.example.com"))

        await eventually(
            clusters, lambda _: "istio-se_shop_two_b.example.com_8000" in log.read_text()
        )


async def test_tcp_and_ranges_have_chains_of_their_own(tmp_path: Path) -> None:
    place = Place()
    one = place.address()
    files = {
        "mesh.yaml": mesh(place),
        "db.yaml": f"""
            apiVersion: networking.istio.io/v1
            kind: ServiceEntry
            metadata: {{name: db, namespace: shop}}
            spec:
              hosts: [db.example.com]
              addresses: [10.80.0.0/16]
              ports:
              - {{number: 5432, name: db, protocol: TCP, targetPort: 3001}}
              - {{number: 80, name: web, protocol: HTTP, targetPort: 3000}}
              resolution: STATIC
              endpoints: [{{address: {one}}}]
            """,
    }
    echoes = [workload(one, 3000, "web-1"), workload(one, 3001, "db-1")]
    async with serving(tmp_path, files, echoes, place) as served:
        assert pod(await served.to_vip("10.80.1.2", 5432)) == "db-1"
        assert pod(await served.to_vip("10.80.1.3", 80)) == "web-1"
        assert answer(await served.to_vip("10.81.1.3", 80)).status == 404


async def test_a_gateway_sends_to_a_hostname_and_a_share_to_nothing_is_500(tmp_path: Path) -> None:
    place = Place()
    one, edge = place.address(), place.address()
    gateway = f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {{name: edge, namespace: shop}}
        spec:
          gatewayClassName: serai
          addresses: [{{value: {edge}}}]
          listeners: [{{name: http, port: 8080, protocol: HTTP}}]
        """
    rules = f"""
          - matches: [{{path: {{value: /good}}}}]
            backendRefs: [{to_host("pay.example.com")}]
          - matches: [{{path: {{value: /bad}}}}]
            backendRefs: [{{name: nothing, port: 80}}]
          - matches: [{{path: {{value: /both}}}}]
            backendRefs: [{to_host("pay.example.com")}, {{name: nothing, port: 80}}]
        """
    files = {
        "mesh.yaml": mesh(place),
        "edge.yaml": gateway,
        "pay.yaml": entry("pay", "240.0.0.7", one),
        "route.yaml": route("edge", "{name: edge}", rules),
    }
    async with serving(tmp_path, files, [workload(one, 3000, "pay-1")], place) as served:
        assert pod(await served.to(edge, 8080, "/good")) == "pay-1"
        assert answer(await served.to(edge, 8080, "/bad")).status == 500
        statuses = [answer(await served.to(edge, 8080, "/both")).status for _ in range(30)]
        assert set(statuses) == {200, 500}
        assert answer(await served.to(edge, 8080, "/else")).status == 404


async def test_changes_arrive_and_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    place = Place()
    one, two = place.address(), place.address()
    files = {"mesh.yaml": mesh(place), "pay.yaml": entry("pay", "240.0.0.7", one)}
    echoes = [workload(one, 3000, "one"), workload(two, 3000, "two")]
    async with serving(tmp_path, files, echoes, place) as served:

        async def ask() -> HttpAnswer:
            return answer(await served.to_vip("240.0.0.7", 8000))

        assert pod(await ask()) == "one"
        served.write("pay.yaml", entry("pay", "240.0.0.7", two))
        await eventually(ask, lambda found: pod(found) == "two")
        served.write("pay.yaml", "kind: [")
        served.write("new.yaml", entry("new", "240.0.0.8", one))
        await eventually(
            lambda: served.to_vip("240.0.0.8", 8000), lambda found: found.status == 200
        )
        assert pod(await ask()) == "two"
        await eventually(
            ask, lambda _: [each.code for each in served.instance.problems()] == ["SER0001"]
        )
        (served.folder / "pay.yaml").unlink()
        await eventually(ask, lambda found: found.status == 404)


async def test_an_envoy_that_is_killed_is_started_again(tmp_path: Path) -> None:
    place = Place()
    one = place.address()
    files = {"mesh.yaml": mesh(place), "pay.yaml": entry("pay", "240.0.0.7", one)}
    async with serving(tmp_path, files, [workload(one, 3000, "one")], place) as served:
        fleet = served.instance.fleet
        assert fleet is not None
        before = fleet.statuses()[0].pid
        os.kill(before, signal.SIGKILL)
        await eventually(
            lambda: served.to_vip("240.0.0.7", 8000),
            lambda found: found.status == 200 and fleet.statuses()[0].pid != before,
        )
        assert fleet.statuses()[0].restarts == 1


async def test_what_envoy_refuses_is_told_and_harms_nobody(tmp_path: Path) -> None:
    place = Place()
    one = place.address()
    files = {
        "mesh.yaml": mesh(place),
        "pay.yaml": entry("pay", "240.0.0.7", one),
        "bad.yaml": entry("bad", "240.0.0.8", one),
    }
    async with serving(tmp_path, files, [workload(one, 3000, "one")], place) as served:
        await refuse_one(served)
        served.write("new.yaml", entry("new", "240.0.0.9", one))
        await eventually(
            lambda: served.to_vip("240.0.0.9", 8000), lambda found: found.status == 200
        )
        assert answer(await served.to_vip("240.0.0.8", 8000)).status == 404
        told = [each for each in served.instance.problems() if each.code == "SER0701"]
        assert {each.key for each in told} == REFUSED
        assert "missing ]" in told[0].message
        served.write("route.yaml", route("bad", HOST_BAD, "[{matches: [{path: {value: /}}]}]"))
        await eventually(
            lambda: served.to_vip("240.0.0.8", 8000), lambda found: found.status == 500
        )
        assert served.instance.problems() == ()
