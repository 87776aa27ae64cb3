"""What Envoy says by itself, whom it says it is, and what connections may become."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from listening import listening
from live.listeners import RAW, A, B, changed, edge, policy
from live.serving import SECONDS, Served, answer, echoed, eventually
from serai.trace import Answered, Forwarded, TraceRequest, View, resolve, trace

pytestmark = pytest.mark.live


async def said(served: Served, port: int, sent: bytes) -> bytes:
    """All that is answered to these bytes until the connection is closed."""
    reader, writer = await asyncio.open_connection(served.place.gateway, port)
    async with asyncio.timeout(SECONDS):
        writer.write(sent)
        try:
            return await reader.read()
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def raw(served: Served) -> AsyncIterator[None]:
    """Under /raw an endpoint that calls itself `own`, and becomes whatever it is asked to."""
    address = served.place.address()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            named = b"server: own\r\n" if b"x-named" in head else b""
            if head.startswith(b"connect "):
                writer.write(b"HTTP/1.1 200 S\r\n\r\n" + head)
                writer.write(await reader.readexactly(5))
            elif b"upgrade: " in head:
                kind = head.partition(b"upgrade: ")[2].partition(b"\r\n")[0]
                writer.write(b"HTTP/1.1 101 S\r\nconnection: upgrade\r\nupgrade: %s\r\n\r\n" % kind)
                writer.write(b"back: " + await reader.readexactly(5))
            else:
                writer.write(b"HTTP/1.1 200 OK\r\n%scontent-length: 3\r\n\r\nraw" % named)
            await writer.drain()
        writer.close()

    async with listening(serve, address, 3000):
        served.write("raw.yaml", RAW.format(address=address))
        await eventually(
            lambda: served.to(served.place.gateway, B, "/raw"), lambda found: found.body == b"raw"
        )
        yield


async def test_whose_name_answers_have(tmp_path: Path) -> None:
    first = "{httpSettings: {serverHeaderTransformation: Overwrite, serverName: first}}"
    async with edge(tmp_path, policy(first, "a")) as served, raw(served):

        async def name(path: str, **more: str) -> str:
            found = answer(await served.to(served.place.gateway, A, path, **more))
            return found.header("server")

        assert [await name("/raw", x_named="1"), await name("/raw")] == ["first", "first"]
        await changed(served, "second", "serverHeaderTransformation: AppendIfAbsent")
        assert [await name("/raw", x_named="1"), await name("/raw")] == ["own", "second"]
        passing = "{httpSettings: {serverHeaderTransformation: PassThrough}}"
        served.write("policy.yaml", policy(passing, "a"))
        await eventually(
            lambda: served.to(served.place.gateway, A, "/raw"),
            lambda found: not found.header("server"),
        )
        assert await name("/raw", x_named="1") == "own"


@pytest.mark.parametrize("kind", ["spdy/3.1", "websocket", "other"])
async def test_connections_become_what_is_allowed(tmp_path: Path, kind: str) -> None:
    upgrades = "{httpSettings: {upgradeConfig: {enabledUpgrades: [SPDY/3.1]}}}"
    async with edge(tmp_path, policy(upgrades, "a")) as served, raw(served):
        sent = (
            f"GET /raw HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: {kind}\r\n\r\nhello"
        )
        found = {port: await said(served, port, sent.encode()) for port in (A, B)}
        for port, allowed in ((A, kind != "other"), (B, kind == "websocket")):
            assert found[port].startswith(b"HTTP/1.1 101 ") == allowed, found
            assert found[port].endswith(b"back: hello") == allowed
            assert allowed or found[port].startswith(b"HTTP/1.1 403 ")


async def test_clients_of_http_1_0_are_answered_where_it_is_asked_for(tmp_path: Path) -> None:
    old = "{httpSettings: {acceptHttp10: true, defaultHostForHttp10: old.example}}"
    async with edge(tmp_path, policy(old, "a")) as served:
        found = await said(served, A, b"GET / HTTP/1.0\r\n\r\n")
        assert found.split(b" ")[1] == b"200"
        assert b'"host": "old.example"' in found
        named = await said(served, A, b"GET / HTTP/1.0\r\nhost: new.example\r\n\r\n")
        assert b'"host": "new.example"' in named
        refused = await said(served, B, b"GET / HTTP/1.0\r\n\r\n")
        assert refused.split(b" ")[1] == b"426"


async def test_answers_look_as_they_are_mapped(tmp_path: Path) -> None:
    replies = """
    httpSettings:
      localReplies:
        defaultBodyFormat: {text: "sorry: %LOCAL_REPLY_BODY%", contentType: text/x-sorry}
        mappers:
        - filter: {statusCodeFilter: {op: EQ, value: 431}}
          statusCode: 400
          body: too large
          bodyFormatOverride: {json: {why: "%LOCAL_REPLY_BODY%"}, contentType: application/x-why}
          headers:
            set: [{name: x-set, value: 100%}]
            add: [{name: x-add, value: one}, {name: x-add, value: two}]
        - filter: {headerFilter: {header: {name: x-mark, value: "yes"}}}
          statusCode: 418
    """
    async with edge(tmp_path, policy(replies, "a")) as served:
        to = served.place.gateway
        large = answer(await served.to(to, A, x_long="x" * 100_000))
        assert (large.status, large.body) == (400, b'{"why":"too large"}\n')
        assert large.header("content-type") == "application/x-why"
        assert large.header("x-set") == "100%"
        added = [value for name, value in large.headers if name == "x-add"]
        assert added == ["one", "two"]

        unknown = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close, upgrade\r\nupgrade: other\r\n"
        plain = await said(served, A, unknown + b"\r\n")
        assert plain.startswith(b"HTTP/1.1 403 ")
        assert b"content-type: text/x-sorry" in plain
        assert b"\r\n\r\nsorry: " in plain
        marked = await said(served, A, unknown + b"x-mark: yes\r\n\r\n")
        assert marked.startswith(b"HTTP/1.1 418 ")
        assert echoed(await served.to(to, A, x_mark="yes"))["pod"] == "api"
        other = await said(served, B, unknown + b"x-mark: yes\r\n\r\n")
        assert other.startswith(b"HTTP/1.1 403 ")
        assert b"sorry" not in other


RAW_CLUSTER = "istio-se_shop_raw_raw.internal_80"
PROXIED = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: proxied, namespace: shop}}
spec:
  parentRefs: [{{name: edge}}]
  hostnames: ["{host}"]
  rules:
  - matches: [{{method: CONNECT}}]
    backendRefs: [{{group: networking.istio.io, kind: ServiceEntry, name: raw, port: 80}}]
"""


async def test_a_route_of_its_own_takes_connect_where_the_listener_lets_it(tmp_path: Path) -> None:
    upgrades = "{httpSettings: {upgradeConfig: {enabledUpgrades: [connect]}}}"
    ask = b"CONNECT far.example:443 HTTP/1.1\r\nhost: far.example:443\r\n\r\nhello"
    async with edge(tmp_path, policy(upgrades, "a")) as served, raw(served):
        # Other routes don't, whatever paths they are for.
        assert [await status(served, port, ask) for port in (A, B)] == [404, 404]
        assert [traced(served, port) for port in (A, B)] == [404, 404]
        for host in ("far.example", "*.example"):
            served.write("proxied.yaml", PROXIED.format(host=host))
            async with asyncio.timeout(SECONDS):
                while not (found := await said(served, A, ask)).startswith(b"HTTP/1.1 200 "):
                    pass
            assert b"connect far.example:443 http/1.1\r\n" in found
            assert found.endswith(b"hello")
            assert await status(served, B, ask) == 403
            assert [traced(served, port) for port in (A, B)] == [RAW_CLUSTER, 403]
            served.write("proxied.yaml", "")
            async with asyncio.timeout(SECONDS):
                while await status(served, A, ask) != 404:
                    pass


async def status(served: Served, port: int, sent: bytes) -> int:
    return int((await said(served, port, sent)).split(b" ")[1])


def traced(served: Served, port: int) -> int | str:
    """What the simulator says: the status, or the cluster that it goes to."""
    pipeline = served.instance.core.pipeline
    view = View(pipeline.attached, pipeline.translated)
    request = resolve(view, f"http://far.example:{port}/", method="CONNECT", via="shop/edge")
    assert isinstance(request, TraceRequest)
    outcome = trace(view, request).outcome
    if isinstance(outcome, Forwarded):
        return str(outcome.shares[0].cluster)
    assert isinstance(outcome, Answered)
    return outcome.status


OLD = """
apiVersion: gateway.kgateway.dev/v1alpha1
kind: HTTPListenerPolicy
metadata: {{name: old, namespace: shop}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: edge}}]
  serverName: {name}
  healthCheck: {{path: /healthy}}
"""


async def test_the_former_kind_is_for_all_ports(tmp_path: Path) -> None:
    async with edge(tmp_path, OLD.format(name="first")) as served:
        for name in ("first", "second"):
            served.write("policy.yaml", OLD.format(name=name))
            for port in (A, B):
                found = await eventually(
                    lambda port=port: served.to(served.place.gateway, port, "/healthy"),  # type: ignore[misc]
                    lambda found, name=name: found.header("server") == name,  # type: ignore[misc]
                )
                assert (found.status, found.body) == (200, b"")
