"""AuthorizationPolicies that ask somebody, that only mark, and that are only tried."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from live.asked import allowed, denied, guarding
from live.hbone import WAYPOINT, who
from live.serving import (
    SECONDS,
    Place,
    Served,
    answer,
    echoed,
    eventually,
    request,
    serving,
    workload,
)
from live.stats import stats
from serai.app.client.http import Entry, HttpAnswer
from serai.app.client.proxy_protocol import proxy_header

pytestmark = pytest.mark.live

ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: {namespace}, labels: {{istio.io/use-waypoint: {waypoint}}}}}
spec:
  hosts: [{name}.example]
  addresses: [{vip}]
  resolution: STATIC
  ports:
  - {{number: 80, name: http, protocol: {protocol}, targetPort: {target}}}
  - {{number: 90, name: tcp, protocol: TCP, targetPort: 18090}}
  endpoints: [{{address: {endpoint}}}]
"""
EXTENSION = """
apiVersion: gateway.kgateway.dev/v1alpha1
kind: GatewayExtension
metadata: {name: guard, namespace: istio-system}
spec:
  extAuth:
    grpcService:
      backendRef: {group: networking.istio.io, kind: ServiceEntry, name: guard, port: 80}
      requestTimeout: 5s
"""
POLICY = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: {name}, namespace: shop, annotations: {{istio.io/dry-run: "{tried}"}}}}
spec:
  action: {action}
  {provider}
  targetRefs: [{{group: networking.istio.io, kind: ServiceEntry, name: {target}}}]
  rules:
  - to: [{{operation: {{paths: ["/asked*"]}}}}]
"""


def policy(
    name: str, action: str, provider: str = "", tried: str = "false", target: str = ""
) -> str:
    asks = f"provider: {{name: {provider}}}" if provider else ""
    target = target or name
    return POLICY.format(name=name, action=action, provider=asks, tried=tried, target=target)


def files(endpoint: str, guard: str, vips: dict[str, str]) -> dict[str, str]:
    entries = [
        ENTRY.format(
            name=name,
            namespace="shop",
            waypoint="waypoint",
            vip=vip,
            endpoint=endpoint,
            protocol="HTTP",
            target=18080,
        )
        for name, vip in vips.items()
    ]
    guarding_entry = ENTRY.format(
        name="guard",
        namespace="istio-system",
        waypoint="none",
        vip="240.9.9.9",
        endpoint=guard,
        protocol="GRPC",
        target=3001,
    )
    return {
        "waypoint.yaml": WAYPOINT,
        "entries.yaml": "---".join([*entries, guarding_entry]),
        "extension.yaml": EXTENSION,
    }


async def said(served: Served, vip: str, text: bytes = b"hello\n") -> bytes:
    """What a connection that is not HTTP hears."""
    reader, writer = await asyncio.open_connection(served.place.gateway, 15088)
    writer.write(proxy_header(("127.0.0.1", 1234), (vip, 90), who("cart")) + text)
    try:
        with contextlib.suppress(OSError):
            return await asyncio.wait_for(reader.read(100), SECONDS)
        return b""
    finally:
        writer.transport.abort()


async def test_a_grpc_service_is_asked_about_requests_and_connections(tmp_path: Path) -> None:
    place = Place()
    endpoint, at = place.address(), place.address()
    vips = {"web": "240.9.1.1", "other": "240.9.1.2", "lost": "240.9.1.3"}
    world = files(endpoint, at, vips)
    world["policies.yaml"] = "---".join(
        [policy("web", "CUSTOM", "guard"), policy("lost", "CUSTOM", "nobody")]
    )
    echo = [workload(endpoint, 18080, "one"), workload(endpoint, 18090, "one", tcp=True)]
    async with guarding(at, 3001) as guard, serving(tmp_path, world, echo, place) as served:

        async def ask(vip: str, path: str) -> HttpAnswer:
            return answer(await served.to_vip(vip, 80, path, as_=who("cart")))

        guard.answer = lambda _: allowed(x_user="alice")
        told = echoed(await ask(vips["web"], "/asked/x"))
        assert told["headers"]["X-User"] == ["alice"]
        assert guard.last.path == "/asked/x"
        guard.answer = lambda _: denied(403, "not you")
        found = await ask(vips["web"], "/asked/x")
        assert (found.status, found.body) == (403, b"not you")
        asked = len(guard.asked)
        assert (await ask(vips["web"], "/free")).status == 200
        assert (await ask(vips["other"], "/asked/x")).status == 200
        assert len(guard.asked) == asked

        # What only HTTP has is ignored, so that all connections are asked about.
        assert await said(served, vips["web"]) == b""
        assert len(guard.asked) == asked + 1
        assert guard.asked[-1].attributes.destination.address.socket_address.port_value == 90
        guard.answer = lambda _: allowed()
        assert b"one" in await said(served, vips["web"])

        # Nobody to ask: what the rules match is denied.
        assert (await ask(vips["lost"], "/asked/x")).status == 403
        assert (await ask(vips["lost"], "/free")).status == 200
        assert await said(served, vips["lost"]) == b""

    # The guard is away.
    again = tmp_path / "again"
    again.mkdir()
    async with serving(again, world, echo, place) as served:
        denied_now = await eventually(
            lambda: served.to_vip(vips["web"], 80, "/asked/x"), lambda found: found.status != 503
        )
        assert denied_now.status == 403
        assert await said(served, vips["web"]) == b""


async def test_what_is_tried_is_counted_and_decides_nothing(tmp_path: Path) -> None:
    place = Place()
    endpoint = place.address()
    vips = {"deny": "240.9.2.1", "allow": "240.9.2.2", "audit": "240.9.2.3"}
    world = files(endpoint, place.address(), vips)
    world["policies.yaml"] = "---".join(
        [
            policy("deny", "DENY", tried="true"),
            policy("allow", "ALLOW", tried="true"),
            policy("custom", "CUSTOM", "guard", tried="true", target="allow"),
            policy("audit", "AUDIT"),
        ]
    )
    echo = [workload(endpoint, 18080, "one"), workload(endpoint, 18090, "one", tcp=True)]
    async with serving(tmp_path, world, echo, place) as served:
        for vip in vips.values():
            for path in ("/asked/x", "/free"):
                asked = Entry(connect=(place.gateway, 15088), destination=(vip, 80))
                assert answer(await served.ask(asked, request(path, "x"))).status == 200
            assert b"one" in await said(served, vip)
        assert await stats(tmp_path, "istio_dry_run_deny_", "shadow_denied", "http.") == 1
        assert await stats(tmp_path, "istio_dry_run_deny_", "shadow_allowed", "http.") == 1
        assert await stats(tmp_path, "istio_dry_run_allow_", "shadow_allowed", "http.") == 1
        assert await stats(tmp_path, "istio_dry_run_allow_", "shadow_denied", "http.") == 1
        # Of connections: a DENY without what only HTTP has denies all, an ALLOW of it allows none.
        assert await stats(tmp_path, "istio_dry_run_deny_", "shadow_denied", "tcp.") == 1
        assert await stats(tmp_path, "istio_dry_run_allow_", "shadow_denied", "tcp.") == 1
