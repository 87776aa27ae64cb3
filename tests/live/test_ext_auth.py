"""Others that are asked whether a request may pass: by gRPC and HTTP, by policies and routes."""

from __future__ import annotations

from pathlib import Path

import pytest

from live.asked import allowed, denied, guarding, guarding_http
from live.extensions import PORT, VIP, ask, called, policy
from live.mesh import entry, mesh
from live.serving import Place, echoed, eventually, pod, serving, workload

pytestmark = pytest.mark.live

PAY = "{group: networking.istio.io, kind: ServiceEntry, name: pay"


def extension(more: str = "", service: str = "") -> str:
    return f"""
        apiVersion: gateway.kgateway.dev/v1alpha1
        kind: GatewayExtension
        metadata: {{name: guard, namespace: shop}}
        spec:
          extAuth:
            grpcService:
              backendRef: {{group: networking.istio.io, kind: ServiceEntry, name: guard, port: 80}}
              requestTimeout: 5s
              {service}
            {more}
        """


async def test_a_grpc_service_is_asked_as_its_extension_says(tmp_path: Path) -> None:
    place = Place()
    backend, guard_at = place.address(), place.address()
    files = {
        "mesh.yaml": mesh(place),
        "pay.yaml": entry("pay", VIP, backend),
        "guard.yaml": called("guard", guard_at, 3001, "GRPC"),
        "extension.yaml": extension("headersToForward: [x-shown]"),
        "policy.yaml": policy("extAuth: {extensionRef: {name: guard}}"),
    }
    async with (
        guarding(guard_at, 3001) as guard,
        serving(tmp_path, files, [workload(backend, 3000, "pay")], place) as served,
    ):
        guard.answer = lambda _: allowed(response=(("x-back", "b"),), x_user="alice")
        found = await ask(served, "/a?b=c", x_shown="1", x_hidden="2", x_user="mallory")
        told = echoed(found)
        assert told["headers"]["X-User"] == ["alice"]
        assert dict(found.headers)["x-back"] == "b"
        assert (guard.last.method, guard.last.path) == ("GET", "/a?b=c")
        assert "x-shown" in guard.last.headers and "x-hidden" not in guard.last.headers

        guard.answer = lambda _: denied(418, "not you", x_why="because")
        refused = await ask(served)
        assert (refused.status, refused.body) == (418, b"not you")
        assert dict(refused.headers)["x-why"] == "because"

        guard.answer = lambda _: None
        assert (await ask(served)).status == 403

        served.write("extension.yaml", extension("statusOnError: 503"))
        await eventually(lambda: ask(served), lambda found: found.status == 503)

        served.write("extension.yaml", extension("failOpen: true"))
        await eventually(lambda: ask(served), lambda found: found.status == 200)

        guard.answer = lambda _: denied(401, "")
        shown = "withRequestBody: {maxRequestBytes: 8}"
        served.write("extension.yaml", extension(shown))
        await eventually(
            lambda: ask(served, body=b"12345"), lambda _: bool(guard.last.body == "12345")
        )
        assert (await ask(served, body=b"123456789")).status == 413

        more = "contextExtensions: {tier: gold, of: pay}"
        served.write("policy.yaml", policy(f"extAuth: {{extensionRef: {{name: guard}}, {more}}}"))
        await eventually(lambda: ask(served), lambda _: bool(guard.said))
        assert guard.said == {"tier": "gold", "of": "pay"}
        assert (await ask(served)).status == 401

        served.write("policy.yaml", policy("extAuth: {disable: {}}"))
        await eventually(lambda: ask(served), lambda found: found.status == 200)


async def test_each_share_says_of_itself_what_its_policy_adds(tmp_path: Path) -> None:
    place = Place()
    pay, other, guard_at = place.address(), place.address(), place.address()
    other_ref = PAY.replace("name: pay", "name: other")
    rules = f"[{{backendRefs: [{PAY}, port: {PORT}}}, {other_ref}, port: {PORT}}}]}}]"
    said = "extAuth: {extensionRef: {name: guard}, contextExtensions: {of: pay}}"
    files = {
        "mesh.yaml": mesh(place),
        "pay.yaml": entry("pay", VIP, pay),
        "other.yaml": entry("other", "240.0.0.8", other),
        "route.yaml": rules_of_pay(rules),
        "guard.yaml": called("guard", guard_at, 3001, "GRPC"),
        "extension.yaml": extension(),
        "policy.yaml": policy(said),
        "plain.yaml": policy("extAuth: {extensionRef: {name: guard}}", "other").replace(
            "name: pay}]", "name: other}]"
        ),
    }
    backends = [workload(pay, 3000, "pay"), workload(other, 3000, "other")]
    async with guarding(guard_at, 3001) as guard, serving(tmp_path, files, backends, place) as up:
        found = set[tuple[str, str]]()
        for _ in range(30):
            answered = pod(await ask(up))
            found.add((answered, guard.said.get("of", "")))
        assert found == {("pay", "pay"), ("other", "")}


async def test_a_grpc_service_that_is_away_lets_nobody_in_unless_it_fails_open(
    tmp_path: Path,
) -> None:
    place = Place()
    backend, guard_at = place.address(), place.address()
    files = {
        "mesh.yaml": mesh(place),
        "pay.yaml": entry("pay", VIP, backend),
        "guard.yaml": called("guard", guard_at, 3001, "GRPC"),
        "extension.yaml": extension(),
        "policy.yaml": policy("extAuth: {extensionRef: {name: guard}}"),
    }
    async with serving(tmp_path, files, [workload(backend, 3000, "pay")], place) as served:
        assert (await ask(served)).status == 403
        async with guarding(guard_at, 3001):
            await eventually(lambda: ask(served), lambda found: found.status == 200)
        served.write("extension.yaml", extension("failOpen: true"))
        await eventually(lambda: ask(served), lambda found: found.status == 200)


def rules_of_pay(rules: str) -> str:
    return f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {{name: pay, namespace: shop}}
        spec:
          parentRefs: [{PAY}}}]
          rules: {rules}
        """


def route(auth: str) -> str:
    return f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {{name: pay, namespace: shop}}
        spec:
          parentRefs: [{PAY}}}]
          rules:
          - filters: [{{type: ExternalAuth, externalAuth: {auth}}}]
            backendRefs: [{PAY}, port: {PORT}}}]
        """


def named(name: str = "guard", namespace: str = "shop") -> str:
    group = "group: networking.istio.io, kind: ServiceEntry"
    return f"backendRef: {{{group}, name: {name}, namespace: {namespace}, port: 80}}"


GRANT = """
    apiVersion: gateway.networking.k8s.io/v1
    kind: ReferenceGrant
    metadata: {name: pay, namespace: other}
    spec:
      from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}]
      to: [{group: networking.istio.io, kind: ServiceEntry}]
    """


async def test_a_routes_filter_asks_by_http(tmp_path: Path) -> None:
    place = Place()
    backend, guard_at = place.address(), place.address()
    plain = f"{{protocol: HTTP, {named()}, http: {{}}}}"
    files = {
        "mesh.yaml": mesh(place),
        "pay.yaml": entry("pay", VIP, backend),
        "guard.yaml": called("guard", guard_at, 3002, "HTTP"),
        "route.yaml": route(plain),
    }
    async with (
        guarding_http(guard_at, 3002) as guard,
        serving(tmp_path, files, [workload(backend, 3000, "pay")], place) as served,
    ):
        guard.answer = "HTTP/1.1 200 OK\r\nx-user: alice\r\nx-other: 1\r\n"
        told = echoed(await ask(served, "/a", b"12345", authorization="me", x_more="1"))
        assert told["headers"]["X-User"] == ["alice"]
        assert told["headers"]["Content-Length"] == ["5"]
        assert guard.last[""] == "POST /a HTTP/1.1"
        assert guard.last["host"] == "pay.example.com"
        assert (guard.last["authorization"], guard.last["content-length"]) == ("me", "0")
        assert "x-more" not in guard.last

        guard.answer = "HTTP/1.1 302 Found\r\nlocation: https://log.in/\r\n"
        refused = await ask(served)
        assert (refused.status, dict(refused.headers)["location"]) == (302, "https://log.in/")

        guard.answer = "HTTP/1.1 200 OK\r\nx-user: alice\r\nx-other: 1\r\n"
        http = "{path: /check, allowedHeaders: [X-More], allowedResponseHeaders: [x-other]}"
        body = "forwardBody: {maxSize: 5}"
        served.write("route.yaml", route(f"{{protocol: HTTP, {named()}, http: {http}, {body}}}"))
        found = await eventually(
            lambda: ask(served, "/a", b"12345", x_more="1"),
            lambda _: guard.last[""] == "POST /check/a HTTP/1.1",
        )
        told = echoed(found)
        assert told["headers"]["X-Other"] == ["1"] and "X-User" not in told["headers"]
        assert guard.last["x-more"] == "1" and guard.asked[-1].endswith("12345")
        assert (await ask(served, "/a", b"123456")).status == 413


async def test_a_routes_filter_asks_by_grpc_and_only_whom_it_may(tmp_path: Path) -> None:
    place = Place()
    backend, guard_at = place.address(), place.address()
    asked = f"{{protocol: GRPC, {named(namespace='other')}, grpc: {{allowedHeaders: [x-shown]}}}}"
    files = {
        "mesh.yaml": mesh(place),
        "pay.yaml": entry("pay", VIP, backend),
        "guard.yaml": called("guard", guard_at, 3001, "GRPC", "other"),
        "route.yaml": route(asked),
    }
    async with (
        guarding(guard_at, 3001) as guard,
        serving(tmp_path, files, [workload(backend, 3000, "pay")], place) as served,
    ):
        assert (await ask(served)).status == 500
        assert not guard.asked

        served.write("grant.yaml", GRANT)
        await eventually(
            lambda: ask(served, x_shown="1", x_hidden="2"), lambda found: found.status == 200
        )
        assert "x-shown" in guard.last.headers and "x-hidden" not in guard.last.headers

        guard.answer = lambda _: denied(403, "no")
        assert (await ask(served)).body == b"no"
        guard.answer = lambda _: None
        assert (await ask(served)).status == 403
