"""What listener policies ask for, as clients, endpoints and collectors see it; and live changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from live.listeners import (
    COLLECTED,
    COLLECTOR,
    A,
    B,
    collecting,
    collector_of,
    edge,
    headers,
    held,
    policy,
)
from live.serving import SECONDS, answer, echoed, eventually
from serai.api.meta import Key

pytestmark = pytest.mark.live


async def test_headers_answers_and_health(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    config = f"""
    perConnectionBufferLimitBytes: 65536
    tcpKeepalive: {{keepAliveTime: 30s, keepAliveInterval: 10s, keepAliveProbes: 3}}
    transportSocketConnectTimeout: 5s
    httpSettings:
      accessLog:
      - fileSink: {{path: {log}, stringFormat: "%RESPONSE_CODE% %REQ(:PATH)%\\n"}}
        filter:
          andFilter:
          - {{statusCodeFilter: {{op: GE, value: 300}}}}
          - {{notHealthCheckFilter: true}}
          - {{durationFilter: {{op: GE, value: 0}}}}
      - fileSink: {{path: {log}.json,
                    jsonFormat: {{at: "%REQ(:PATH)%", nested: {{to: ["%PROTOCOL%"]}}}}}}
        filter: {{celFilter: {{match: "request.path == '/logged' && response.code > 100"}}}}
      serverHeaderTransformation: Overwrite
      serverName: shop
      xffNumTrustedHops: 1
      skipXFFAppend: true
      preserveExternalRequestId: true
      uuidRequestIdConfig: {{packTraceReason: false}}
      earlyRequestHeaderModifier:
        set: [{{name: x-set, value: 100%}}]
        add: [{{name: x-inner, value: "yes"}}]
        remove: [x-gone]
      forwardClientCertDetails: {{mode: Sanitize}}
      healthCheck: {{path: /healthy}}
      http2ProtocolOptions:
        {{maxConcurrentStreams: 7, initialStreamWindowSize: 64Ki, allowConnect: true}}
      idleTimeout: 1h
      streamIdleTimeout: 5m
      maxHeadersCount: 20
      maxRequestHeadersKb: 8
      maxRequestsPerConnection: 1000
      stripHostPortMode: AnyPort
      upgradeConfig: {{enabledUpgrades: [websocket, spdy/3.1]}}
      acceptHttp10: true
      defaultHostForHttp10: old.example
      preserveHttp1HeaderCase: true
      localReplies:
        defaultBodyFormat: {{json: {{said: "%LOCAL_REPLY_BODY%", code: "%RESPONSE_CODE%"}}}}
        mappers:
        - filter: {{statusCodeFilter: {{op: EQ, value: 431}}}}
          statusCode: 400
          body: too many
          headers: {{set: [{{name: x-mapped, value: "yes"}}]}}
    """
    async with edge(tmp_path, policy(config, "a")) as served:
        to = served.place.gateway

        async def asked(path: str = "/", port: int = A, **more: Any) -> Any:
            return await served.to(to, port, path, **more)

        redirected = answer(await asked("/"))
        assert redirected.status == 302  # an early header chose the route
        assert ("location", f"http://inner.example:{A}/") in redirected.headers
        assert ("server", "shop") in redirected.headers
        plain = headers(echoed(await asked("/", B, x_gone="1")))
        assert "x-set" not in plain
        assert "x-gone" in plain
        assert answer(await asked("/healthy")).status == 200
        assert echoed(await asked("/healthy", B))["pod"] == "api"
        many: dict[str, Any] = {f"x-{number}": "1" for number in range(40)}
        refused = answer(await asked("/", **many))
        assert (refused.status, ("x-mapped", "yes") in refused.headers) == (400, True)
        assert msgspec.json.decode(refused.body)["said"] == "too many"
        assert echoed(await asked("/", B, **many))["pod"] == "api"
        old = await _raw(to, A, b"GET /old HTTP/1.0\r\n\r\n")
        assert old.startswith((b"HTTP/1.0 302", b"HTTP/1.1 302")), old
        await asked("/logged")
        await _until(lambda: "302 /\n" in _text(log) and "/logged" in _text(Path(f"{log}.json")))
        assert "healthy" not in _text(log)
        lines = _text(Path(f"{log}.json")).splitlines()
        assert [msgspec.json.decode(line) for line in lines] == [
            {"at": "/logged", "nested": {"to": ["HTTP/1.1"]}}
        ]


async def test_a_change_leaves_the_connections_of_other_listeners_alone(tmp_path: Path) -> None:
    first = "{httpSettings: {serverName: one}}"
    async with edge(tmp_path, policy(first, "a")) as served:
        to = served.place.gateway
        async with held(to, A) as own, held(to, B) as other:
            assert b"server: one" in await own.ask()
            assert b"server: envoy" in await other.ask()
            served.write("policy.yaml", policy("{httpSettings: {serverName: two}}", "a"))
            await eventually(lambda: served.to(to, A), lambda got: ("server", "two") in got.headers)
            for _ in range(20):
                assert b"200 OK" in await other.ask()
                await asyncio.sleep(0.1)  # longer than this test's Envoys take to drain
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await own.until_closed()
            served.write("policy.yaml", "")
            await eventually(
                lambda: served.to(to, A), lambda got: ("server", "envoy") in got.headers
            )
            assert b"200 OK" in await other.ask()


async def test_who_the_client_is(tmp_path: Path) -> None:
    ranges = "{httpSettings: {useRemoteAddress: false, xffTrustedCIDRs: [10.0.0.0/8, 127.0.0.0/8]}}"
    log = tmp_path / "clients.log"
    text = '"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%\\n"'
    logged = (
        f"{{httpSettings: {{accessLog: [{{fileSink: {{path: {log}, stringFormat: {text}}}}}]}}}}"
    )
    both = [policy(ranges, "a", "ranges"), policy(logged, "", "logged")]
    async with edge(tmp_path, *both) as served:
        to = served.place.gateway
        echoed(await served.to(to, A, x_forwarded_for="1.2.3.4, 10.1.1.1"))
        await _until(lambda: "1.2.3.4\n" in _text(log))


async def test_the_proxy_protocol_at_a_gateway(tmp_path: Path) -> None:
    config = "{proxyProtocol: {}}"
    async with edge(tmp_path, policy(config, "a")) as served:
        to = served.place.gateway
        request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        header = b"PROXY TCP4 9.8.7.6 127.0.0.1 1 80\r\n"
        found = await _raw(to, A, header + request)
        assert b"200 OK" in found
        assert b"9.8.7.6" in found  # X-Forwarded-For, as the endpoint got it
        assert await _raw(to, A, request) == b""
        assert b"200 OK" in await _raw(to, B, request)
        relaxed = "{proxyProtocol: {allowRequestsWithoutProxyProtocol: true}}"
        served.write("policy.yaml", policy(relaxed, "a"))
        await eventually(lambda: served.to(to, A), lambda got: got.status == 200)
        assert b"9.8.7.6" in await _raw(to, A, header + request)


async def test_logs_and_spans_reach_a_collector(tmp_path: Path) -> None:
    sent = f"""
    httpSettings:
      accessLog:
      - grpcService: {COLLECTOR}, logName: als, timeout: 1s,
                     additionalRequestHeadersToLog: [x-mark]}}
      - openTelemetry:
          grpcService: {COLLECTOR}, logName: otel}}
          body: "%REQ(X-MARK)%"
          attributes: {{values: [{{key: shop, value: {{stringValue: "%PROTOCOL%"}}}}]}}
          resourceAttributes:
            values: [{{key: list, value: {{arrayValue: [{{stringValue: a}}]}}}}]
      tracing:
        provider:
          openTelemetry:
            grpcService: {COLLECTOR}}}
            serviceName: the-edge
            resourceDetectors: [{{environmentResourceDetector: {{}}}}]
            sampler: {{alwaysOnConfig: {{}}}}
        attributes:
        - {{name: marked, requestHeader: {{name: x-mark}}}}
        - {{name: fixed, literal: {{value: listener}}}}
        spawnUpstreamSpan: true
    """
    per_route = """
apiVersion: gateway.kgateway.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: spans, namespace: shop}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: api}]
  tracing: {attributes: [{name: fixed, literal: {value: route-attribute}}]}
"""
    async with edge(tmp_path, policy(sent, "a"), per_route) as served:
        collector = collector_of(served)
        async with collecting(collector, COLLECTED) as got:

            async def everything() -> bool:
                echoed(await served.to(served.place.gateway, A, x_mark="mark-1"))
                await asyncio.sleep(0.2)
                wanted = {
                    "als": b"mark-1",
                    "logs": b"mark-1",
                    "traces": b"route-attribute",
                }
                return all(
                    any(kind in method and text in body for method, body in got)
                    for kind, text in (
                        ("AccessLogService", wanted["als"]),
                        ("LogsService", wanted["logs"]),
                        ("TraceService", wanted["traces"]),
                    )
                )

            async with asyncio.timeout(SECONDS):
                while not await everything():
                    pass
            spans = b"".join(body for method, body in got if "TraceService" in method)
            assert b"the-edge" in spans
            assert b"marked" in spans


async def test_of_two_policies_the_older_wins_field_by_field(tmp_path: Path) -> None:
    older = policy("{httpSettings: {serverName: older}}", "", "older", "2026-01-01T00:00:00Z")
    newer = policy(
        "{httpSettings: {serverName: newer, healthCheck: {path: /ok}}}",
        "",
        "newer",
        "2026-01-02T00:00:00Z",
    )
    async with edge(tmp_path, older, newer) as served:
        to = served.place.gateway
        found = answer(await served.to(to, A))
        assert ("server", "older") in found.headers
        assert answer(await served.to(to, B, "/ok")).body == b""
        status: Any = served.instance.core.pipeline.statuses.row(
            Key("ListenerPolicy", "shop", "newer")
        )
        reasons = [(each.type, each.reason) for each in status.ancestors[0].conditions]
        assert reasons == [("Accepted", "Accepted"), ("Attached", "Merged")]


async def test_what_envoy_refuses_is_told_on_the_policy(tmp_path: Path) -> None:
    good = policy("{httpSettings: {serverName: good}}", "a")
    async with edge(tmp_path, good) as served:
        to = served.place.gateway
        gone = tmp_path / "no" / "such" / "folder" / "log"
        sink = f"{{fileSink: {{path: {gone}, stringFormat: x}}}}"
        served.write(
            "policy.yaml",
            policy(f"{{httpSettings: {{serverName: bad, accessLog: [{sink}]}}}}", "a"),
        )
        key = Key("ListenerPolicy", "shop", "p")

        def rejected() -> bool:
            status: Any = served.instance.core.pipeline.statuses.row(key)
            conditions = status.ancestors[0].conditions if status else ()
            return "Rejected" in [each.reason for each in conditions]

        await _until(rejected)
        for port, name in ((A, "good"), (B, "envoy")):
            assert ("server", name) in answer(await served.to(to, port)).headers
        problems = served.instance.core.pipeline.problems.items()
        assert "SER0701" in {each.code for _, each in problems if each.key == key}
        served.write("policy.yaml", policy("{httpSettings: {serverName: mended}}", "a"))
        await eventually(lambda: served.to(to, A), lambda got: ("server", "mended") in got.headers)


async def _raw(address: str, port: int, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(address, port)
    async with asyncio.timeout(SECONDS):
        writer.write(sent)
        await writer.drain()
        try:
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


async def _until(holds: Callable[[], bool]) -> None:
    for _ in range(int(SECONDS / 0.05)):
        if holds():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("never as wanted")
