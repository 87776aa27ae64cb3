"""A table of a gateway grows until it is divided, and shrinks again: nobody notices."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import cycle, pairwise
from pathlib import Path
from textwrap import dedent

import msgspec
import pytest

from live.client_http2 import asking, client2, until_ended
from live.serving import SECONDS, Place, Served, answer, eventually, serving, workload
from live.worlds import entry
from serai.api.meta import Key
from serai.app.client.http import HttpAnswer
from serai.translate.collections import Named
from serai.translate.division import LEAST, PARTS
from serai.xds.resource import ResourceType
from serai.xds.snapshot import SnapshotKey

pytestmark = pytest.mark.live

PORT = 18270
EDGE = Key("Gateway", "shop", "edge")
SIZES = (10, LEAST - 20, LEAST, 250, 500, LEAST, LEAST - 40, 10)
CLIENTS, ENOUGH = 6, 200
"""Of each way to ask; requests by each."""
OF_A_ROUTE = 16
"""Host names; no more are allowed."""
ALWAYS = {
    "h0.many.example": "exact",
    "H3.Many.Example": "exact",
    "h7.many.example:8080": "exact",
    "own.wild.example": "exact",
    "any.wild.example": "wild",
    "any.deep.wild.example:1": "wild",
    "nobody.example": "",
}
"""Who answers for a host; nobody: 404."""
Ask = Callable[[str], Awaitable[tuple[int, bytes]]]


def base(place: Place, exact: str, wild: str) -> str:
    gateway = f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: edge, namespace: shop}}
spec:
  gatewayClassName: serai
  addresses: [{{value: {place.gateway}}}]
  listeners: [{{name: http, port: {PORT}, protocol: HTTP}}]
"""
    return "---".join(
        (
            gateway,
            dedent(entry("exact", exact)),
            dedent(entry("wild", wild)),
            route("own", "exact", "own.wild.example"),
            route("wild", "wild", '"*.wild.example"'),
        )
    )


def route(name: str, to: str, *hosts: str) -> str:
    backend = f"{{group: networking.istio.io, kind: ServiceEntry, name: {to}, port: 80}}"
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {name}, namespace: shop}}
spec:
  parentRefs: [{{name: edge}}]
  hostnames: [{", ".join(hosts)}]
  rules: [{{backendRefs: [{backend}]}}]
"""


def many(size: int) -> str:
    hosts = [f"h{number}.many.example" for number in range(size)]
    found = [hosts[at : at + OF_A_ROUTE] for at in range(0, size, OF_A_ROUTE)]
    return "---".join(route(f"many-{n}", "exact", *each) for n, each in enumerate(found))


class Asked:
    """What became of requests."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.wrong: list[str] = []

    async def forever(self, how: str, ask: Ask) -> None:
        for host, wanted in cycle(ALWAYS.items()):
            status, body = await ask(host)
            self.asked[how] += 1
            got = msgspec.json.decode(body)["pod"] if status == 200 else ""
            if got != wanted or status not in {200, 404}:
                self.wrong.append(f"{how} {host}: {status} by {got or 'nobody'}")


def anew(served: Served) -> Ask:
    async def ask(host: str) -> tuple[int, bytes]:
        found = answer(await served.to(served.place.gateway, PORT, host=host))
        return found.status, found.body

    return ask


@contextlib.asynccontextmanager
async def kept(served: Served) -> AsyncIterator[Ask]:
    """One connection for all, in HTTP/1.1; it must never be closed."""
    reader, writer = await asyncio.open_connection(served.place.gateway, PORT)

    async def ask(host: str) -> tuple[int, bytes]:
        writer.write(f"GET / HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        assert "connection: close" not in head, head
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0] or 0)
        return int(head.split()[1]), await reader.readexactly(length)

    yield ask
    writer.close()


@contextlib.asynccontextmanager
async def streams(served: Served) -> AsyncIterator[Ask]:
    """One connection for all, in HTTP/2; Envoy must never say goodbye."""
    async with client2(served.place.gateway, PORT) as client:

        async def ask(host: str) -> tuple[int, bytes]:
            headers = [pair for pair in asking("/") if pair[0] != ":authority"]
            _, found = client.begin([*headers, (":authority", host)])
            await until_ended(found)
            assert client.goodbye is None
            return found.status, found.body

        yield ask


def parts(served: Served) -> int:
    """Into how many the table is divided now."""
    name = f"http_gateway_{PORT}_edge_shop"
    translated = served.instance.core.pipeline.translated
    found = translated.routes.row(Named(EDGE, name))
    assert found is not None
    return len(found.parts)


def listener(served: Served) -> str:
    key = SnapshotKey(EDGE, ResourceType.LISTENER, f"listener~{PORT}")
    found = served.instance.core.pipeline.snapshot.row(key)
    assert found is not None
    return found.version


async def grown(served: Served, before: int, size: int) -> None:
    """Write so many hosts, and wait until requests show it."""
    served.write("many.yaml", many(size))
    host = f"h{max(before, size) - 1}.many.example"
    await eventually(
        lambda: served.to(served.place.gateway, PORT, host=host),
        lambda found: found.status == (200 if size > before else 404),
    )


async def test_no_request_fails_while_a_table_grows_and_shrinks(tmp_path: Path) -> None:
    place, asked = Place(), Asked()
    exact, wild = place.address(), place.address()
    files = {"base.yaml": base(place, exact, wild), "many.yaml": many(SIZES[0])}
    echoes = [workload(exact, 8081, "exact"), workload(wild, 8081, "wild")]
    async with serving(tmp_path, files, echoes, place) as served:
        await grown(served, 0, SIZES[0])
        first, divided = listener(served), []
        async with contextlib.AsyncExitStack() as stack:
            two = await stack.enter_async_context(streams(served))
            ways = [("streams", two), ("anew", anew(served))] * CLIENTS
            for _ in range(CLIENTS):
                ways.append(("kept", await stack.enter_async_context(kept(served))))
            running = [asyncio.create_task(asked.forever(*each)) for each in ways]
            for before, size in pairwise(SIZES):
                await grown(served, before, size)
                divided.append(parts(served))
                await asyncio.sleep(0.2)
                for each in running:
                    assert not each.done(), each.result()
            for each in running:
                each.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        assert not asked.wrong, Counter(asked.wrong)
        assert min(asked.asked[how] for how, _ in ways) > ENOUGH, asked.asked
        # What is asked for always are two exact hosts more, and the listener's own wildcard.
        assert divided == [PARTS if size + 1 >= LEAST else 0 for size in SIZES[1:]]
        assert listener(served) == first


async def test_the_first_answer_of_an_envoy_that_starts_is_the_right_one(tmp_path: Path) -> None:
    place, statuses = Place(), list[int]()
    exact, wild = place.address(), place.address()
    files = {"base.yaml": base(place, exact, wild), "many.yaml": many(2 * LEAST)}
    served = Served(tmp_path, place)

    async def until_answered() -> None:
        while not statuses:
            found = await served.to(place.gateway, PORT, host="h7.many.example")
            if isinstance(found, HttpAnswer):
                statuses.append(found.status)
            await asyncio.sleep(0.001)

    asking_already = asyncio.create_task(until_answered())
    echoes = [workload(exact, 8081, "exact"), workload(wild, 8081, "wild")]
    async with serving(tmp_path, files, echoes, place) as ready:
        await asyncio.wait_for(asking_already, SECONDS)
        assert parts(ready) == PARTS
        assert statuses == [200]
