"""Health checks and outlier detection with endpoints that really fail, for Services and entries."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from listening import listening
from live.entries import ENTRY, entry
from live.mesh import mesh
from live.serving import Place, Served, answer, eventually, pod, serving
from live.sick_server import sick
from live.state import shown, until_known
from live.worlds import edge, rule
from serai.views.state import State

pytestmark = pytest.mark.live

HOST = "pay.example.com"
HEALTH = "timeout: 1s, interval: 100ms, unhealthyThreshold: 1, healthyThreshold: 1"


def service(endpoints: list[str]) -> str:
    listed = ", ".join(f"{{addresses: [{each}]}}" for each in endpoints)
    return f"""
        apiVersion: v1
        kind: Service
        metadata: {{name: pay, namespace: shop}}
        spec: {{clusterIP: 240.0.0.7, ports: [{{name: http, port: 8000, targetPort: 3000}}]}}
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {{name: pay-1, namespace: shop, labels: {{kubernetes.io/service-name: pay}}}}
        addressType: IPv4
        ports: [{{name: http, port: 3000}}]
        endpoints: [{listed}]
        """


SERVICE = "{group: '', kind: Service, name: pay}"


def policy(spec: str, target: str = ENTRY) -> str:
    return f"""
        apiVersion: gateway.kgateway.dev/v1alpha1
        kind: BackendConfigPolicy
        metadata: {{name: pay, namespace: shop}}
        spec:
          targetRefs: [{target}]
          {spec}
        """


async def ask(served: Served) -> object:
    return await served.to_vip("240.0.0.7", 8000, host="pay.example.com")


async def who(served: Served, times: int = 12) -> set[str]:
    return {pod(await served.to_vip("240.0.0.7", 8000, host="x")) for _ in range(times)}


@pytest.mark.parametrize(
    ("written", "target", "host"),
    [(entry, ENTRY, "pay.example.com"), (service, SERVICE, "pay.shop.svc.cluster.local")],
    ids=["ServiceEntry", "Service"],
)
async def test_a_health_check_takes_a_failing_endpoint_out_and_back(
    tmp_path: Path, written: object, target: str, host: str
) -> None:
    place = Place()
    one, two = place.address(), place.address()
    assert callable(written)
    check = f"healthCheck: {{{HEALTH}, http: {{path: /healthz}}}}"
    files = {
        "mesh.yaml": mesh(place),
        "pay.yaml": written([one, two]),
        "policy.yaml": policy(check, target),
    }
    async with (
        sick(one, 3000, "one") as first,
        sick(two, 3000, "two"),
        serving(tmp_path, files, [], place) as served,
    ):
        await until_known(served, lambda state: _sound(state, one, two), health=True)
        assert await who(served) == {"one", "two"}
        assert first.hosts >= {host}

        first.paths["/healthz"] = 500
        failed = "failed_active_health_check"
        await until_known(served, lambda state: failed in shown(state)[one][1], health=True)
        assert await who(served) == {"two"}

        first.paths.clear()
        await until_known(served, lambda state: _sound(state, one, two), health=True)
        assert await who(served) == {"one", "two"}


def _sound(state: State, *addresses: str) -> bool:
    found = shown(state)
    return all("healthy" in found[each][1].split() for each in addresses)


async def test_a_tcp_health_check_asks_for_a_connection_only(tmp_path: Path) -> None:
    place = Place()
    one, two = place.address(), place.address()
    files = {
        "mesh.yaml": mesh(place),
        "pay.yaml": entry([one, two]),
        "policy.yaml": policy(f"healthCheck: {{{HEALTH}, tcp: {{}}}}"),
    }
    async with sick(one, 3000, "one"), serving(tmp_path, files, [], place) as served:
        failed = "failed_active_health_check"
        await until_known(served, lambda state: failed in shown(state)[two][1], health=True)
        assert await who(served) == {"one"}


@pytest.mark.parametrize(
    ("written", "host"),
    [(entry, HOST), (service, "pay.shop.svc.cluster.local")],
    ids=["ServiceEntry", "Service"],
)
async def test_an_endpoint_that_fails_in_a_row_is_ejected(
    tmp_path: Path, written: object, host: str
) -> None:
    assert callable(written)
    place = Place()
    one, two = place.address(), place.address()
    outliers = """trafficPolicy: {outlierDetection:
          {consecutive5xxErrors: 3, interval: 100ms, baseEjectionTime: 1s,
           maxEjectionPercent: 100}}"""
    files = {
        "mesh.yaml": mesh(place),
        "pay.yaml": written([one, two]),
        "rule.yaml": rule(host, outliers),
    }
    async with (
        sick(one, 3000, "one") as first,
        sick(two, 3000, "two"),
        serving(tmp_path, files, [], place) as served,
    ):
        assert await who(served) == {"one", "two"}

        first.status = 500
        statuses = [
            answer(await served.to_vip("240.0.0.7", 8000, host="x")).status for _ in range(20)
        ]
        assert statuses.count(500) == 3
        assert statuses[-5:] == [200] * 5
        ejected = "failed_outlier_check"
        await until_known(served, lambda state: ejected in shown(state)[one][1], health=True)

        first.status = 200
        await eventually(
            lambda: served.to_vip("240.0.0.7", 8000, host="x"),
            lambda found: b'"one"' in found.body,
        )


async def test_a_rule_says_which_answers_are_failures(tmp_path: Path) -> None:
    """Istio: outlierDetectionHttpErrorCodes, in place of those from 500 on."""
    place = Place()
    one, two = place.address(), place.address()

    def counting(codes: str) -> str:
        outliers = "consecutive5xxErrors: 3, interval: 100ms, maxEjectionPercent: 100"
        more = f"outlierDetectionHttpErrorCodes: [{codes}]"
        return rule(HOST, f"trafficPolicy: {{outlierDetection: {{{outliers}, {more}}}}}")

    files = {"mesh.yaml": mesh(place), "pay.yaml": entry([one, two]), "rule.yaml": counting("418")}
    async with (
        sick(one, 3000, "one") as first,
        sick(two, 3000, "two"),
        serving(tmp_path, files, [], place) as served,
    ):

        async def statuses() -> list[int]:
            asked = [await served.to_vip("240.0.0.7", 8000, host="x") for _ in range(24)]
            return [answer(each).status for each in asked]

        first.status = 429
        assert (await statuses()).count(429) > 6
        served.write("rule.yaml", counting("418, 429"))
        ejected = "failed_outlier_check"
        async with asyncio.timeout(10):
            while ejected not in (await served.instance.read(shown, health=True))[one][1]:
                await statuses()
        assert set(await statuses()) == {200}


async def test_endpoints_that_report_less_load_get_more(tmp_path: Path) -> None:
    """Istio: backendUtilization, by what endpoints report in ORCA's header."""
    place = Place()
    one, two = place.address(), place.address()
    by_load = """trafficPolicy: {loadBalancer: {backendUtilization:
          {weightStabilizationPeriod: 0.1s, weightUpdatePeriod: 0.1s}}}"""
    files = {"mesh.yaml": mesh(place), "pay.yaml": entry([one, two])}
    async with (
        sick(one, 3000, "one") as busy,
        sick(two, 3000, "two") as idle,
        serving(tmp_path, files, [], place) as served,
    ):
        busy.headers = "endpoint-load-metrics: TEXT cpu_utilization=0.9, rps_fractional=10\r\n"
        idle.headers = "endpoint-load-metrics: TEXT cpu_utilization=0.1, rps_fractional=10\r\n"

        async def shares() -> tuple[int, int]:
            before = busy.asked["/"], idle.asked["/"]
            for _ in range(100):
                answer(await served.to_vip("240.0.0.7", 8000, host="x"))
            return busy.asked["/"] - before[0], idle.asked["/"] - before[1]

        few, many = await shares()
        assert many < 3 * few
        served.write("rule.yaml", rule(HOST, by_load))
        async with asyncio.timeout(20):
            while few * 5 > many:
                few, many = await shares()


@pytest.mark.parametrize(("percent", "sent"), [(0, False), (50, True)])
async def test_below_the_panic_threshold_health_is_not_looked_at(
    tmp_path: Path, percent: int, *, sent: bool
) -> None:
    place = Place()
    one = place.address()
    spec = f"""healthCheck: {{{HEALTH}, http: {{path: /healthz}}}}
          loadBalancer: {{roundRobin: {{}}, healthyPanicThreshold: {percent}}}"""
    files = {"mesh.yaml": mesh(place), "pay.yaml": entry([one]), "policy.yaml": policy(spec)}
    async with sick(one, 3000, "one") as first, serving(tmp_path, files, [], place) as served:
        first.paths["/healthz"] = 500
        failed = "failed_active_health_check"
        await until_known(served, lambda state: failed in shown(state)[one][1], health=True)

        found = answer(await served.to_vip("240.0.0.7", 8000, host="x"))
        assert found.status == (200 if sent else 503)


async def test_requests_that_hash_alike_go_to_one_endpoint(tmp_path: Path) -> None:
    place = Place()
    addresses = [place.address() for _ in range(3)]
    spec = """loadBalancer: {ringHash: {hashPolicies: [{header: {name: x-user}}]}}"""
    files = {"mesh.yaml": mesh(place), "pay.yaml": entry(addresses), "policy.yaml": policy(spec)}
    async with (
        sick(addresses[0], 3000, "0"),
        sick(addresses[1], 3000, "1"),
        sick(addresses[2], 3000, "2"),
        serving(tmp_path, files, [], place) as served,
    ):

        async def of(user: str) -> str:
            return pod(await served.to_vip("240.0.0.7", 8000, host="x", x_user=user))

        first = [await of(f"user-{number}") for number in range(16)]
        assert len(set(first)) > 1
        assert [await of(f"user-{number}") for number in range(16)] == first


async def test_priority_groups_fail_over_to_the_next_group(tmp_path: Path) -> None:
    place = Place()
    one, two = place.address(), place.address()
    world = f"""
        ---
        apiVersion: gateway.kgateway.dev/v1alpha1
        kind: Backend
        metadata: {{name: one, namespace: shop}}
        spec: {{static: {{hosts: [{{host: {one}, port: 3000}}]}}}}
        ---
        apiVersion: gateway.kgateway.dev/v1alpha1
        kind: Backend
        metadata: {{name: two, namespace: shop}}
        spec: {{static: {{hosts: [{{host: {two}, port: 3000}}]}}}}
        ---
        apiVersion: gateway.kgateway.dev/v1alpha1
        kind: Backend
        metadata: {{name: both, namespace: shop}}
        spec:
          priorityGroups: [{{backendRefs: [{{name: one}}]}}, {{backendRefs: [{{name: two}}]}}]
        """
    target = "{group: gateway.kgateway.dev, kind: Backend, name: both}"
    check = policy(f"healthCheck: {{{HEALTH}, http: {{path: /healthz}}}}", target)
    edges = edge(place, "{group: gateway.kgateway.dev, kind: Backend, name: both}")
    files = {"world.yaml": edges + world.lstrip(), "policy.yaml": check}
    async with (
        sick(one, 3000, "one") as first,
        sick(two, 3000, "two"),
        serving(tmp_path, files, [], place) as served,
    ):

        async def reached() -> set[str]:
            return {pod(await served.to(place.gateway, 8080)) for _ in range(8)}

        assert await reached() == {"one"}

        first.paths["/healthz"] = 500
        await eventually(
            lambda: served.to(place.gateway, 8080), lambda found: b'"two"' in found.body
        )
        assert await reached() == {"two"}

        first.paths.clear()
        await eventually(
            lambda: served.to(place.gateway, 8080), lambda found: b'"one"' in found.body
        )


async def test_a_limit_of_connections_refuses_what_is_above_it(tmp_path: Path) -> None:
    place = Place()
    one = place.address()
    limits = "connectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1}}"
    written = rule(HOST, f"trafficPolicy: {{{limits}}}")
    files = {"mesh.yaml": mesh(place), "pay.yaml": entry([one]), "rule.yaml": written}
    async with sick(one, 3000, "one") as slow, serving(tmp_path, files, [], place) as served:
        slow.delay = 0.3

        async def status() -> int:
            return answer(await served.to_vip("240.0.0.7", 8000, host="x")).status

        statuses = await asyncio.gather(*(status() for _ in range(6)))
        # Each of Envoy's threads may open one, whatever the limit says.
        assert set(statuses) == {200, 503}


async def test_endpoints_are_told_the_clients_address(tmp_path: Path) -> None:
    place = Place()
    one = place.address()
    spec = "upstreamProxyProtocol: {version: V1}"
    files = {"mesh.yaml": mesh(place), "pay.yaml": entry([one]), "policy.yaml": policy(spec)}
    heard: list[bytes] = []

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with listening(reply, one, 3000), serving(tmp_path, files, [], place) as served:
        assert answer(await served.to_vip("240.0.0.7", 8000, host="x")).status == 200
    assert heard[0].startswith(b"PROXY TCP4 127.0.0.1 ")
