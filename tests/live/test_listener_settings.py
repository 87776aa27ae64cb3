"""Settings of listener policies one by one: what each changes, on and off, as clients see it."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from live.listeners import (
    COLLECTED,
    COLLECTOR,
    RAW,
    A,
    asked,
    changed,
    collecting,
    collector_of,
    edge,
    headers,
    held,
    policy,
    settings,
)
from live.serving import SECONDS, answer, eventually, until

pytestmark = pytest.mark.live

UNTRACED = """
apiVersion: gateway.kgateway.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: untraced, namespace: shop}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: api}]
  tracing: {disable: {}}
"""
FORCED = "f4dca0a9-12c7-a307-8002-969403baf480"
"""An id by which a proxy that is trusted says that it was told to follow a request."""
ALIVE = 2
"""In /proc/net/tcp: the timer that asks whether the other end is still there."""


async def test_whose_address_counts(tmp_path: Path) -> None:
    log = tmp_path / "clients.log"
    text = '"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %REQ(X-MARK)%\\n"'
    sink = f"accessLog: [{{fileSink: {{path: {log}, stringFormat: {text}}}}}]"
    claimed = {"x_forwarded_for": "1.2.3.4"}
    async with edge(tmp_path, settings("peer", f"useRemoteAddress: true, {sink}")) as served:
        found = headers(await asked(served, x_mark="peer", **claimed))
        (forwarded,) = found["x-forwarded-for"]
        assert forwarded.startswith("1.2.3.4,")  # and what Envoy knows itself after it
        assert (await logged(log, "peer")).startswith("127.")
        await changed(served, "claimed", f"useRemoteAddress: false, {sink}")
        found = headers(await asked(served, x_mark="claimed", **claimed))
        assert found["x-forwarded-for"] == ["1.2.3.4"]
        assert await logged(log, "claimed") == "1.2.3.4 claimed"
        await changed(served, "hop", f"useRemoteAddress: true, xffNumTrustedHops: 1, {sink}")
        await asked(served, x_mark="hop", **claimed)
        assert await logged(log, "hop") == "1.2.3.4 hop"


async def test_ids_of_requests(tmp_path: Path) -> None:
    async with edge(tmp_path, settings("made", "generateRequestId: true")) as served:
        (made,) = headers(await asked(served))["x-request-id"]
        assert re.fullmatch(r"[0-9a-f-]{36}", made)
        assert headers(await asked(served, x_request_id="mine"))["x-request-id"] != ["mine"]
        await changed(served, "kept", "preserveExternalRequestId: true")
        assert headers(await asked(served, x_request_id="mine"))["x-request-id"] == ["mine"]
        await changed(served, "none", "generateRequestId: false")
        assert "x-request-id" not in headers(await asked(served))


async def test_traces_ids_and_logs_go_together(tmp_path: Path) -> None:
    log = tmp_path / "traced.log"
    traced = f"""
      useRemoteAddress: false,
      tracing: {{provider: {{openTelemetry: {{grpcService: {COLLECTOR}}}}}}}, verbose: true}},
      accessLog: [{{filter: {{traceableFilter: true}},
                    fileSink: {{path: {log}, stringFormat: "%REQ(X-MARK)%\\n"}}}}]
    """
    async with (
        edge(tmp_path, settings("packed", traced)) as served,
        collecting(collector_of(served), COLLECTED) as got,
    ):

        async def followed(**more: str) -> str:
            """What Envoy writes into a request's id of why it follows it: 4 if it does not."""
            (found,) = headers(await asked(served, **more))["x-request-id"]
            return str(found)[14]

        assert await followed(x_mark="by chance") == "9"
        assert await followed(x_mark="asked for", x_request_id=FORCED) == "a"
        assert await logged(log, "for") == "asked for"
        served.write("untraced.yaml", UNTRACED)
        await until_it_is(followed, "4")
        served.write("untraced.yaml", "")
        await until_it_is(followed, "9")
        await changed(served, "bare", f"uuidRequestIdConfig: {{packTraceReason: false}}, {traced}")
        assert await followed() == "4"
        await until(lambda: any("TraceService" in method for method, _ in got))
        assert log.read_text().splitlines() == ["asked for"]


async def test_without_ids_the_tracer_decides_what_is_followed(tmp_path: Path) -> None:
    provider = f"provider: {{openTelemetry: {{grpcService: {COLLECTOR}}}}}}}"

    def sampling(by_id: str) -> str:
        ids = f"uuidRequestIdConfig: {{useRequestIdForTraceSampling: {by_id}}}"
        return f"{ids}, tracing: {{{provider}, randomSampling: 0}}"

    async with edge(tmp_path, settings("by-id", sampling("true"))) as served:

        async def followed() -> set[str]:
            """What endpoints hear of whether requests are followed."""
            found = [headers(await asked(served)) for _ in range(4)]
            return {each["traceparent"][0][-2:] for each in found}

        assert await followed() == {"00"}
        await changed(served, "by-tracer", sampling("false"))
        assert await followed() == {"01"}


FILTERS = {
    "exact": "headerFilter: {header: {name: x-mark, value: wanted}}",
    "regex": "headerFilter: {header: {type: RegularExpression, name: x-mark, value: 'w.*'}}",
    "grpc": "grpcStatusFilter: {statuses: [UNAVAILABLE]}",
    "not-grpc": "grpcStatusFilter: {statuses: [UNAVAILABLE], exclude: true}",
    "never": "runtimeFilter: {runtimeKey: serai.never, percentSampled: {numerator: 0}}",
    "always": "runtimeFilter: {runtimeKey: serai.always, percentSampled: {numerator: 1000000, "
    "denominator: MILLION}}",
}


async def test_filters_of_logs(tmp_path: Path) -> None:
    logs = ", ".join(
        f"{{filter: {{{wanted}}}, "
        f'fileSink: {{path: {tmp_path / name}, stringFormat: "%REQ(X-MARK)%\\n"}}}}'
        for name, wanted in FILTERS.items()
    )
    async with edge(tmp_path, settings("logged", f"accessLog: [{logs}]")) as served:
        to = served.place.gateway
        assert answer(await served.to(to, A, "/status/503", x_mark="away")).status == 503
        await asked(served, x_mark="wanted")
        await asked(served, x_mark="whatever")
        await asked(served, x_mark="last")
        await logged(tmp_path / "always", "last")
        await logged(tmp_path / "not-grpc", "last")
        await logged(tmp_path / "regex", "whatever")
        await logged(tmp_path / "grpc", "away")
        found = {name: (tmp_path / name).read_text().split() for name in FILTERS}
    assert found == {
        "exact": ["wanted"],
        "regex": ["wanted", "whatever"],
        "grpc": ["away"],
        "not-grpc": ["wanted", "whatever", "last"],
        "never": [],
        "always": ["away", "wanted", "whatever", "last"],
    }


async def test_hosts_and_their_ports(tmp_path: Path) -> None:
    async with edge(tmp_path, settings("kept", "acceptHttp10: true")) as served:

        async def seen(host: str) -> str:
            return str((await asked(served, host=host))["host"])

        assert await seen(f"x:{A}") == f"x:{A}"
        await changed(served, "matching", "stripHostPortMode: MatchingPort")
        assert [await seen(f"x:{A}"), await seen("x:99")] == ["x", "x:99"]
        await changed(served, "any", "stripHostPortMode: AnyPort")
        assert [await seen(f"x:{A}"), await seen("x:99")] == ["x", "x"]


async def test_names_of_headers_stay_as_clients_write_them(tmp_path: Path) -> None:
    async with edge(tmp_path, settings("small", "preserveHttp1HeaderCase: false")) as served:
        address = served.place.address()
        async with recording(address, 3000) as got:
            served.write("raw.yaml", RAW.format(address=address))
            mixed = {"X-MiXed": "1"}
            await eventually(
                lambda: served.to(served.place.gateway, A, "/raw", **mixed),
                lambda found: found.body == b"raw",
            )
            assert b"x-mixed: 1" in got[-1]
            await changed(served, "mixed", "preserveHttp1HeaderCase: true")
            sent = b"GET /raw HTTP/1.1\r\nHost: x\r\nX-MiXed: 1\r\nConnection: close\r\n\r\n"
            await said(served.place.gateway, A, sent)
            assert b"X-MiXed: 1" in got[-1], got[-1]


async def test_connections_end_after_so_many_requests(tmp_path: Path) -> None:
    async with edge(tmp_path, settings("two", "maxRequestsPerConnection: 2")) as served:
        async with held(served.place.gateway, A) as own:
            assert b"connection: close" not in await own.ask()
            assert b"connection: close" in await own.ask()
        await changed(served, "more", "maxRequestsPerConnection: 1000")
        async with held(served.place.gateway, A) as own:
            for _ in range(5):
                assert b"connection: close" not in await own.ask()


async def test_silent_clients_are_asked_whether_they_are_there(tmp_path: Path) -> None:
    config = "{tcpKeepalive: {keepAliveTime: 20s, keepAliveInterval: 10s, keepAliveProbes: 3}}"
    async with edge(tmp_path, policy(config, "a")) as served:
        async with held(served.place.gateway, A) as own:
            await own.ask()
            await until(lambda: ALIVE in timers(served.place.gateway, A))
        served.write("policy.yaml", settings("plain", "acceptHttp10: true"))
        await changed(served, "plain", "acceptHttp10: true")
        async with held(served.place.gateway, A) as own:
            await own.ask()
            await until(lambda: timers(served.place.gateway, A) == {0})


def timers(address: str, port: int) -> set[int]:
    """Which timers run for the established connections that an address has accepted."""
    digits = "".join(f"{int(part):02X}" for part in reversed(address.split(".")))
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return {
        int(row[5].partition(":")[0], 16)
        for row in rows
        if row[1] == f"{digits}:{port:04X}" and row[3] == "01"
    }


@contextlib.asynccontextmanager
async def recording(address: str, port: int) -> AsyncIterator[list[bytes]]:
    """A server that keeps the heads of requests as they came."""
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                got.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nraw")
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, address, port)
    try:
        yield got
    finally:
        server.close()


async def said(address: str, port: int, sent: bytes) -> bytes:
    """All that is answered to these bytes."""
    reader, writer = await asyncio.open_connection(address, port)
    async with asyncio.timeout(SECONDS):
        writer.write(sent)
        try:
            return await reader.read()
        finally:
            writer.close()


async def logged(log: Path, mark: str) -> str:
    """The line of a log that ends with a mark, once it is written."""
    found: list[str] = []

    def there() -> bool:
        lines = log.read_text().splitlines() if log.exists() else []
        found[:] = [line for line in lines if line.endswith(mark)]
        return bool(found)

    await until(there)
    return found[-1]


async def until_it_is(seen: Callable[[], Awaitable[str]], wanted: str) -> None:
    async with asyncio.timeout(SECONDS):
        while await seen() != wanted:
            pass
