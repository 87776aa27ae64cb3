"""Listeners that come late, or once more: their port was somebody else's, or they had gone."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from live.laboratory import Protocol, both, lab, listener
from live.serving import Place, Served, serving, until
from serai.app import ports

pytestmark = pytest.mark.live

DRAINED_SECONDS = 2.0
"""After this long nothing in Envoy remembers a listener that has gone."""


DATAGRAMS = """
    apiVersion: v1
    kind: Service
    metadata: {name: s, namespace: shop}
    spec: {clusterIP: 127.66.0.77, ports: [{name: dns, port: 53, protocol: UDP}]}
    ---
    apiVersion: gateway.networking.k8s.io/v1
    kind: UDPRoute
    metadata: {name: r, namespace: shop}
    spec:
      parentRefs: [{name: edge}]
      rules: [{backendRefs: [{name: s, port: 53}]}]
    """


def gateway(address: str, port: int, protocol: str) -> str:
    return f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {{name: edge, namespace: shop}}
        spec:
          gatewayClassName: serai
          addresses: [{{value: {address}}}]
          listeners: [{{name: a, port: {port}, protocol: {protocol}}}]
        """


def told(served: Served, code: str) -> Callable[[], bool]:
    return lambda: any(each.code == code for each in served.instance.problems())


def _answers(address: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def _be_late_once(monkeypatch: pytest.MonkeyPatch, taken: str) -> None:
    """The first look at an address finds its port free, which it is not any more."""
    looked: list[str] = []
    real = ports._try

    def faster(address: str, port: int, **more: bool) -> OSError | None:
        looked.append(address if port else "")
        late = address == taken and looked.count(taken) == 1
        return None if late else real(address, port, **more)

    monkeypatch.setattr(ports, "_try", faster)


async def test_one_that_is_taken_just_before_envoy_binds_it_is_served_once_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place()
    _be_late_once(monkeypatch, place.gateway)
    with socket.create_server((place.gateway, 8080)) as other:
        async with serving(
            tmp_path, {"a.yaml": gateway(place.gateway, 8080, "HTTP")}, place=place
        ) as it:
            await until(told(it, "SER0904"))
            other.close()
            await until(lambda: not told(it, "SER0904")())
            await until(lambda: _answers(place.gateway, 8080))
            assert not told(it, "SER0701")()


async def test_one_that_cannot_move_stays_where_it_is_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place()
    there = place.address()
    _be_late_once(monkeypatch, there)
    files = {"a.yaml": gateway(place.gateway, 8080, "HTTP")}
    async with serving(tmp_path, files, place=place) as it:
        await until(lambda: _answers(place.gateway, 8080))
        with socket.create_server((there, 8080)):
            it.write("a.yaml", gateway(there, 8080, "HTTP"))
            await until(told(it, "SER0904"))
            assert _answers(place.gateway, 8080)
        await until(lambda: _answers(there, 8080))
        assert not told(it, "SER0904")()


async def test_of_datagrams_the_udp_port_counts(tmp_path: Path) -> None:
    place = Place()
    with (
        socket.create_server((place.gateway, 8053)),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
    ):
        datagrams.bind((place.gateway, 8054))
        files = {"a.yaml": gateway(place.gateway, 8053, "UDP"), "b.yaml": DATAGRAMS}
        async with serving(tmp_path, files, place=place) as it:
            assert not told(it, "SER0904")()
            it.write("a.yaml", gateway(place.gateway, 8054, "UDP"))
            await until(told(it, "SER0904"))


async def test_a_gateway_whose_only_listener_comes_back_is_served_again(tmp_path: Path) -> None:
    place = Place()
    files = {"a.yaml": gateway(place.gateway, 8080, "HTTP")}
    async with serving(tmp_path, files, place=place) as it:
        await until(lambda: _answers(place.gateway, 8080))
        it.write("a.yaml", gateway(place.gateway, 8080, "SCTP"))
        await until(lambda: not _answers(place.gateway, 8080))
        it.write("a.yaml", gateway(place.gateway, 8080, "HTTP"))
        await until(lambda: _answers(place.gateway, 8080))


@both
async def test_behind_a_listener_that_comes_back_all_routes_are_found(
    tmp_path: Path, protocol: Protocol
) -> None:
    async with lab(tmp_path, protocol, "a", "b") as it:
        await it.answers("a", "200 one")
        it.publish(gone=(listener(it.port),))
        await it.answers("a", "refused")
        await asyncio.sleep(DRAINED_SECONDS)
        it.publish(listener(it.port))
        await it.answers("a", "200 one")
        await it.answers("b", "200 one")
