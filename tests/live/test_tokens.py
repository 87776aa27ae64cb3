"""Tokens whose keys are fetched: keys that change, issuers that are down, policies that change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from live.issuer import Issuer, issuer
from live.serving import Place, Served, answer, echoed, eventually, serving, workload
from serai.api.meta import Key
from serai.api.problem import Problem
from serai.app.client.http import HttpAnswer
from serai.model.settings import Settings
from serai.views.tracing import TraceQuestion, traced

pytestmark = pytest.mark.live

ISSUER = "https://staff.example"
FAST = Settings(jwks_refresh_seconds=0.2)
PORT = 9480


def world(place: Place, endpoint: str, jwks: str, more: str = "") -> str:
    """A waypoint before an entry, a Service behind a gateway, and tokens asked for at both."""
    return f"""
        apiVersion: v1
        kind: Namespace
        metadata: {{name: shop, labels: {{istio.io/use-waypoint: waypoint}}}}
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {{name: waypoint, namespace: shop}}
        spec: {{gatewayClassName: serai-waypoint}}
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {{name: edge, namespace: shop}}
        spec:
          gatewayClassName: serai
          addresses: [{{value: {place.gateway}}}]
          listeners: [{{name: web, port: 8099, protocol: HTTP}}]
        ---
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {{name: partner, namespace: shop}}
        spec:
          hosts: [partner.example]
          addresses: [240.0.42.1]
          ports: [{{number: 80, name: http, protocol: HTTP}}]
          resolution: STATIC
          endpoints: [{{address: {endpoint}, ports: {{http: 8080}}}}]
        ---
        apiVersion: v1
        kind: Service
        metadata: {{name: cart, namespace: shop}}
        spec:
          clusterIP: 240.0.42.2
          selector: {{app: cart}}
          ports: [{{name: http, port: 80, targetPort: 8080}}]
        ---
        apiVersion: v1
        kind: Pod
        metadata: {{name: cart, namespace: shop, labels: {{app: cart}}}}
        status: {{phase: Running, podIP: {endpoint}, conditions: [{{type: Ready, status: "True"}}]}}
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {{name: cart, namespace: shop}}
        spec:
          parentRefs: [{{name: edge}}]
          rules: [{{backendRefs: [{{name: cart, port: 80}}]}}]
        ---
        apiVersion: security.istio.io/v1
        kind: RequestAuthentication
        metadata: {{name: staff, namespace: shop}}
        spec:
          targetRefs:
          - {{group: networking.istio.io, kind: ServiceEntry, name: partner}}
          - {{group: "", kind: Service, name: cart}}
          jwtRules:
          - issuer: {ISSUER}
            {jwks}
            outputClaimToHeaders: [{{header: x-who, claim: sub}}]
        {more}
        """


async def by_entry(served: Served, token: str = "") -> HttpAnswer | Problem:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return await served.to_vip("240.0.42.1", 80, host="partner.example", **headers)


async def by_edge(served: Served, token: str = "") -> HttpAnswer | Problem:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return await served.to(served.place.gateway, 8099, host="cart.example", **headers)


def taken(found: HttpAnswer) -> bool:
    return found.status == 200


def refused(found: HttpAnswer) -> bool:
    return found.status == 401


def told(served: Served) -> list[tuple[str, str]]:
    return [
        (each.severity, each.message)
        for each in served.instance.problems()
        if each.code == "SER1010"
    ]


async def test_keys_are_fetched_and_rotate_while_requests_go_on(tmp_path: Path) -> None:
    place = Place()
    endpoint, at = place.address(), place.address()
    async with issuer(ISSUER, at, PORT) as staff:
        files = {"world.yaml": world(place, endpoint, f"jwksUri: http://{at}:{PORT}/keys")}
        echoes = [workload(endpoint, 8080, "it")]
        async with serving(tmp_path, files, echoes, place, FAST) as served:
            first = staff.token()
            for ask in (by_entry, by_edge):
                assert answer(await ask(served)).status == 200
                found = echoed(await ask(served, first))
                assert found["headers"]["X-Who"] == ["ann"]
                assert answer(await ask(served, staff.token(iss="https://x"))).status == 401
            staff.rotate(keep=True)
            second = staff.token()
            for ask in (by_entry, by_edge):
                await eventually(lambda ask=ask: ask(served, second), taken)  # type: ignore[misc]
                assert answer(await ask(served, first)).status == 200
            staff.rotate()
            for ask in (by_entry, by_edge):
                await eventually(lambda ask=ask: ask(served, first), refused)  # type: ignore[misc]
                assert answer(await ask(served, staff.token())).status == 200
            assert told(served) == []


async def test_an_issuer_that_goes_down_keeps_its_keys_even_over_a_restart(tmp_path: Path) -> None:
    place = Place()
    endpoint, at = place.address(), place.address()
    files = {"world.yaml": world(place, endpoint, f"jwksUri: http://{at}:{PORT}/keys")}
    echoes = [workload(endpoint, 8080, "it")]
    async with issuer(ISSUER, at, PORT) as staff:
        token = staff.token()
        async with serving(tmp_path, files, echoes, place, FAST) as served:
            assert answer(await by_entry(served, token)).status == 200
            await staff.close()
            await _until(lambda: told(served) != [])
            [(severity, message)] = told(served)
            assert severity == "warning"
            assert "stay in force" in message
            assert answer(await by_entry(served, token)).status == 200
        async with serving(tmp_path, files, echoes, place, FAST) as served:
            assert answer(await by_entry(served, token)).status == 200
            assert told(served) != []
            await staff.open()
            await _until(lambda: told(served) == [])
            assert answer(await by_entry(served, token)).status == 200


async def test_an_issuer_that_was_never_up_has_no_good_token(tmp_path: Path) -> None:
    place = Place()
    endpoint, at = place.address(), place.address()
    files = {"world.yaml": world(place, endpoint, f"jwksUri: http://{at}:{PORT}/keys")}
    echoes = [workload(endpoint, 8080, "it")]
    async with (
        issuer(ISSUER, at, PORT, up=False) as staff,
        serving(tmp_path, files, echoes, place, FAST) as served,
    ):
        assert answer(await by_entry(served, staff.token())).status == 401
        assert answer(await by_entry(served)).status == 200
        [(severity, message)] = told(served)
        assert severity == "error"
        assert "No token of that issuer" in message
        await staff.open()
        await eventually(lambda: by_entry(served, staff.token()), taken)


async def test_keys_come_from_hosts_of_the_mesh_and_by_discovery(tmp_path: Path) -> None:
    place = Place()
    endpoint, at = place.address(), place.address()
    more = f"""
        ---
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {{name: issuer, namespace: shop}}
        spec:
          hosts: [issuer.staff.example]
          ports: [{{number: 80, name: http, protocol: HTTP}}]
          resolution: STATIC
          endpoints: [{{address: {at}, ports: {{http: {PORT}}}}}]
        """
    text = world(place, endpoint, "", more).replace(ISSUER, "http://issuer.staff.example")
    echoes = [workload(endpoint, 8080, "it")]
    async with issuer("http://issuer.staff.example", at, PORT) as staff:
        staff.jwks_uri = "http://issuer.staff.example/oidc/keys"
        async with serving(tmp_path, {"world.yaml": text}, echoes, place, FAST) as served:
            assert answer(await by_entry(served, staff.token())).status == 200
            assert staff.asked["/oidc/keys"]


async def test_a_policy_changes_under_way_and_no_request_fails(tmp_path: Path) -> None:
    place = Place()
    endpoint, at = place.address(), place.address()
    staff = Issuer(ISSUER, at, PORT)
    inline = f"jwks: '{staff.key_set}'"
    files = {"world.yaml": world(place, endpoint, inline)}
    async with serving(tmp_path, files, [workload(endpoint, 8080, "it")], place, FAST) as served:
        token = staff.token(aud="shop")
        statuses: set[int] = set()
        done = asyncio.Event()

        async def keep_asking() -> None:
            while not done.is_set():
                statuses.add(answer(await by_entry(served, token)).status)

        asking = asyncio.create_task(keep_asking())
        for turn in range(6):
            more = ["audiences: [shop]", "forwardOriginalToken: true", "fromParams: [t]"]
            extra = more[turn % 2]
            served.write("world.yaml", world(place, endpoint, f"{inline}\n            {extra}"))
            wanted = "authorization" if turn % 2 else ""
            await eventually(
                lambda: by_entry(served, token),
                lambda found, wanted=wanted: (b"Authorization" in found.body) == bool(wanted),  # type: ignore[misc]
            )
        done.set()
        await asyncio.gather(asking)
        assert statuses == {200}
        served.write("world.yaml", world(place, endpoint, f"{inline}\n            audiences: [x]"))
        await eventually(lambda: by_entry(served, token), lambda found: found.status == 403)
        state = served.instance.core.pipeline
        status = state.statuses.row(Key("RequestAuthentication", "shop", "staff"))
        assert status is not None
        assert "True" in repr(status)


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110  # what is told has no event of its own
            await asyncio.sleep(0.02)


def extension(backend: str, mode: str = "Strict") -> str:
    """jwtAuth of everything that goes to the entry, with keys behind a backendRef."""
    return f"""
        ---
        apiVersion: gateway.kgateway.dev/v1alpha1
        kind: TrafficPolicy
        metadata: {{name: machines, namespace: shop}}
        spec:
          targetRefs: [{{group: networking.istio.io, kind: ServiceEntry, name: partner}}]
          jwtAuth: {{extensionRef: {{name: machines}}}}
        ---
        apiVersion: gateway.kgateway.dev/v1alpha1
        kind: GatewayExtension
        metadata: {{name: machines, namespace: shop}}
        spec:
          jwt:
            validationMode: {mode}
            providers:
            - name: machines
              issuer: https://machines.example
              tokenSource: {{header: {{header: x-machine}}}}
              jwks:
                remote:
                  url: http://machines.example/keys
                  cacheDuration: 200ms
                  backendRef: {backend}
        ---
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {{name: machines, namespace: shop}}
        spec:
          hosts: [machines.internal]
          ports: [{{number: 8000, name: http, protocol: HTTP}}]
          resolution: STATIC
          endpoints: [{{address: KEYS, ports: {{http: {PORT}}}}}]
        """


async def test_keys_behind_a_backend_rotate_and_a_trace_verifies_by_them(tmp_path: Path) -> None:
    place = Place()
    endpoint, at = place.address(), place.address()
    staff = Issuer(ISSUER, at, PORT)
    backend = "{group: networking.istio.io, kind: ServiceEntry, name: machines, port: 8000}"

    def text(mode: str = "Strict", to: str = backend) -> str:
        more = extension(to, mode).replace("KEYS", at)
        return world(place, endpoint, f"jwks: '{staff.key_set}'", more)

    async def ask(token: str = "") -> HttpAnswer | Problem:
        headers = {"x_machine": token} if token else {}
        return await served.to_vip("240.0.42.1", 80, host="partner.example", **headers)

    async def traced_status(token: str) -> list[tuple[str, str]]:
        headers = (("x-machine", token),)
        question = TraceQuestion(url="http://partner.example/", headers=headers, at=time.time())
        found = await served.instance.read(lambda state: traced(state, question))
        return [(each.found, each.why) for each in found.steps if each.what == "policy jwtAuth"]

    echoes = [workload(endpoint, 8080, "it")]
    async with (
        issuer("https://machines.example", at, PORT) as machines,
        serving(tmp_path, {"world.yaml": text()}, echoes, place) as served,
    ):
        first = machines.token()
        assert answer(await ask()).status == 401
        assert answer(await ask(first)).status == 200
        assert await traced_status(first) == [
            ("passes", "the token of https://machines.example/ann is good")
        ]
        machines.rotate()
        await eventually(lambda: ask(first), refused)
        assert answer(await ask(machines.token())).status == 200
        [(outcome, _)] = await traced_status(first)
        assert outcome == "answers 401"
        served.write("world.yaml", text("AllowMissing"))
        await eventually(ask, taken)
        assert answer(await ask(first)).status == 401
        served.write("world.yaml", text(to=backend.replace("machines", "nobody")))
        await eventually(ask, lambda found: found.status == 500)
        assert answer(await ask(machines.token())).status == 500
        assert answer(await by_edge(served)).status == 200
