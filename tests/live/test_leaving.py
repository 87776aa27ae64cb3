"""A client that keeps its connection to a waypoint, while what it asks for leaves the waypoint."""

from __future__ import annotations

import asyncio
from pathlib import Path

import h11
import pytest

from live.serving import SECONDS, Place, serving, workload
from serai.app.client.proxy_protocol import proxy_header

pytestmark = pytest.mark.live

VIP = ("240.66.1.1", 80)


def waypoint(place: Place) -> str:
    return f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {{name: waypoint, namespace: shop}}
        spec:
          gatewayClassName: serai-waypoint
          addresses: [{{value: {place.gateway}}}]
          listeners: [{{name: proxy, port: 15088, protocol: istio.io/PROXY}}]
        """


def entry(address: str, labels: str = "{istio.io/use-waypoint: waypoint}") -> str:
    return f"""
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {{name: a, namespace: shop, labels: {labels}}}
        spec:
          hosts: [a.example]
          addresses: [{VIP[0]}]
          resolution: STATIC
          ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 8081}}]
          endpoints: [{{address: {address}}}]
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {{name: some, namespace: shop}}
        spec:
          parentRefs: [{{group: networking.istio.io, kind: ServiceEntry, name: a}}]
          rules:
          - matches: [{{path: {{type: Exact, value: /here}}}}]
            backendRefs: [{{group: networking.istio.io, kind: ServiceEntry, name: a, port: 80}}]
        """


class Client:
    """One connection through the PROXY port, over which request follows request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._http = h11.Connection(h11.CLIENT)
        writer.write(proxy_header(("10.0.0.1", 1234), VIP))

    async def ask(self, path: str) -> tuple[int, bool]:
        """The answer's status, and whether the connection may be used once more."""
        asked = h11.Request(method="GET", target=path, headers=[("host", "a.example")])
        self._writer.write(self._http.send(asked) + self._http.send(h11.EndOfMessage()))
        status = 0
        async with asyncio.timeout(SECONDS):
            while not isinstance(event := self._http.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA:
                    self._http.receive_data(await self._reader.read(65536))
                if isinstance(event, h11.Response):
                    status = event.status_code
        kept = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        if kept:
            self._http.start_next_cycle()
        return status, kept


async def test_what_is_captured_no_more_keeps_no_client(tmp_path: Path) -> None:
    """Its next connection goes where the service is now; a path without a route changes nothing."""
    place = Place()
    address = place.address()
    files = {"g.yaml": waypoint(place), "a.yaml": entry(address)}
    async with serving(tmp_path, files, [workload(address, 8081, "a")], place) as served:
        reader, writer = await asyncio.open_connection(place.gateway, 15088)
        client = Client(reader, writer)
        assert await client.ask("/here") == (200, True)
        assert await client.ask("/nowhere") == (404, True)
        served.write("a.yaml", entry(address, "{}"))
        async with asyncio.timeout(SECONDS):
            while (told := await client.ask("/here")) == (200, True):
                pass
        assert told == (404, False)
        writer.close()
        await writer.wait_closed()
