"""What single requests do not show: shares of datagrams, copies, and clients that come back."""

from __future__ import annotations

import asyncio
import collections
from pathlib import Path

import msgspec
import pytest

from live.serving import Place, Served, answer, pod, serving, workload
from live.sick_server import sick
from serai.app.client.http import Entry, HttpRequest
from serai.echo.endpoint import EchoEndpoint, Identity

pytestmark = pytest.mark.live

CLIENTS = 400
FOUR_SIGMA = 40


def gateway(place: Place) -> str:
    return f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {{name: edge, namespace: shop}}
        spec:
          gatewayClassName: serai
          addresses: [{{value: {place.gateway}}}]
          listeners:
          - {{name: http, port: 18780, protocol: HTTP}}
          - {{name: udp, port: 18753, protocol: UDP}}
        """


def service(name: str, *addresses: str) -> str:
    endpoints = ", ".join(f"{{address: {each}}}" for each in addresses)
    return f"""
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {{name: {name}, namespace: shop}}
        spec:
          hosts: [{name}.example]
          resolution: STATIC
          ports:
          - {{number: 80, name: http, protocol: HTTP, targetPort: 8081}}
          - {{number: 53, name: dns, protocol: UDP, targetPort: 8053}}
          endpoints: [{endpoints}]
        """


def to(name: str, port: int, weight: int = 1) -> str:
    return (
        f"{{group: networking.istio.io, kind: ServiceEntry, name: {name}, port: {port},"
        f" weight: {weight}}}"
    )


async def ask_udp(address: str, port: int) -> str:
    """Who answers a datagram from a socket of its own."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[bytes] = loop.create_future()

    class Once(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, _: object) -> None:
            if not told.done():
                told.set_result(data)

    transport, _ = await loop.create_datagram_endpoint(Once, remote_addr=(address, port))
    try:
        transport.sendto(b"hello")
        async with asyncio.timeout(5):
            return str(msgspec.json.decode(await told)["pod"])
    finally:
        transport.close()


async def test_datagrams_are_shared_by_weight_and_a_client_stays_where_it_is(
    tmp_path: Path,
) -> None:
    place = Place()
    one, two = place.address(), place.address()
    route = f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: UDPRoute
        metadata: {{name: dns, namespace: shop}}
        spec:
          parentRefs: [{{name: edge}}]
          rules: [{{backendRefs: [{to("a", 53, 3)}, {to("b", 53, 1)}, {to("a", 53, 0)}]}}]
        """
    echoes = [
        EchoEndpoint(one, 8053, Identity(pod="a"), "udp"),
        EchoEndpoint(two, 8053, Identity(pod="b"), "udp"),
    ]
    files = {"g.yaml": gateway(place), "a.yaml": service("a", one), "b.yaml": service("b", two)}
    async with serving(tmp_path, {**files, "r.yaml": route}, echoes, place):
        counted: collections.Counter[str] = collections.Counter()
        for _ in range(CLIENTS):
            counted[await ask_udp(place.gateway, 18753)] += 1
        assert abs(counted["a"] - CLIENTS * 3 / 4) < FOUR_SIGMA, counted
        assert sum(counted.values()) == CLIENTS


async def ask(served: Served, path: str, *headers: tuple[str, str]) -> tuple[str, str, str]:
    """Who answered, with the cookie and the session header of the answer."""
    wanted = HttpRequest(method="GET", target=path, headers=(("host", "x"), *headers))
    found = answer(await served.ask(Entry(connect=(served.place.gateway, 18780)), wanted))
    return pod(found), found.header("set-cookie") or "", found.header("x-session") or ""


async def test_a_session_stays_at_its_endpoint(tmp_path: Path) -> None:
    place = Place()
    addresses = [place.address() for _ in range(4)]
    route = f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {{name: r, namespace: shop}}
        spec:
          parentRefs: [{{name: edge, sectionName: http}}]
          rules:
          - matches: [{{path: {{value: /cookie}}}}]
            sessionPersistence: {{cookie: {{name: chosen}}}}
            backendRefs: [{to("a", 80)}]
          - matches: [{{path: {{value: /header}}}}]
            sessionPersistence: {{type: Header, header: {{name: x-session}}}}
            backendRefs: [{to("a", 80)}]
          - backendRefs: [{to("a", 80)}]
        """
    echoes = [workload(each, 8081, each) for each in addresses]
    files = {"g.yaml": gateway(place), "a.yaml": service("a", *addresses), "r.yaml": route}
    async with serving(tmp_path, files, echoes, place) as served:
        first, cookie, _ = await ask(served, "/cookie")
        assert cookie.startswith("chosen=")
        sent = ("cookie", cookie.partition(";")[0])
        assert {(await ask(served, "/cookie", sent))[0] for _ in range(12)} == {first}
        first, _, header = await ask(served, "/header")
        again = [await ask(served, "/header", ("x-session", header)) for _ in range(12)]
        assert {who for who, _, _ in again} == {first}
        assert len({(await ask(served, "/else", sent))[0] for _ in range(24)}) > 1


async def test_copies_are_sent_to_everybody_who_is_named_by_their_share(tmp_path: Path) -> None:
    place = Place()
    main, all_, some = place.address(), place.address(), place.address()
    mirror = "{type: RequestMirror, requestMirror: {backendRef: %s%s}}"
    to_all = mirror % (to("b", 80).replace(", weight: 1", ""), "")
    to_some = mirror % (to("c", 80).replace(", weight: 1", ""), ", percent: 25")
    route = f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {{name: r, namespace: shop}}
        spec:
          parentRefs: [{{name: edge, sectionName: http}}]
          rules:
          - matches: [{{path: {{value: /copied}}}}]
            filters: [{to_all}, {to_some}]
            backendRefs: [{to("a", 80)}]
          - backendRefs: [{to("a", 80)}]
        """
    files = {"g.yaml": gateway(place), "r.yaml": route}
    files |= {"a.yaml": service("a", main), "b.yaml": service("b", all_)}
    files |= {"c.yaml": service("c", some)}
    async with (
        sick(main, 8081, "a"),
        sick(all_, 8081, "b") as whole,
        sick(some, 8081, "c") as part,
        serving(tmp_path, files, (), place) as served,
    ):
        answers = {(await ask(served, "/copied"))[0] for _ in range(CLIENTS)}
        assert answers == {"a"}, "a copy's answer is nobody's"
        for _ in range(100):
            if whole.asked["/copied"] == CLIENTS:
                break
            await asyncio.sleep(0.05)
        assert whole.asked["/copied"] == CLIENTS
        assert abs(part.asked["/copied"] - CLIENTS / 4) < FOUR_SIGMA
        await ask(served, "/else")
        assert not whole.asked["/else"] + part.asked["/else"]
