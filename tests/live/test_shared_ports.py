"""Gateways that ask for one address and one port: one of them has it, and the other waits."""

from __future__ import annotations

from pathlib import Path

import pytest

from live.serving import Place, Served, answer, serving, until
from serai.api.meta import Key
from serai.status.values import GatewayStatus

pytestmark = pytest.mark.live

PORT = 18070


def gateway(place: Place, name: str, port: int, created: str) -> str:
    return f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {{name: {name}, namespace: shop, creationTimestamp: "{created}"}}
        spec:
          gatewayClassName: serai
          addresses: [{{value: {place.gateway}}}]
          listeners:
          - {{name: a, port: {port}, protocol: HTTP}}
          - {{name: own, port: {PORT + len(name)}, protocol: HTTP}}
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {{name: {name}, namespace: shop}}
        spec:
          parentRefs: [{{name: {name}}}]
          rules: [{{filters: [{{type: RequestRedirect, requestRedirect: {{hostname: {name}}}}}]}}]
        """


def programmed(served: Served, name: str) -> bool:
    status = served.instance.core.pipeline.statuses.row(Key("Gateway", "shop", name))
    assert isinstance(status, GatewayStatus)
    (found,) = (each for each in status.listeners if each.name == "a")
    return any(each.type == "Programmed" and each.status == "True" for each in found.conditions)


async def asked(served: Served, place: Place, port: int) -> set[str]:
    """Who answers, by the host that each sends its clients to."""
    found = [answer(await served.to(place.gateway, port)) for _ in range(20)]
    return {each.header("location") for each in found}


async def test_the_older_has_it_until_it_goes(tmp_path: Path) -> None:
    place = Place()
    files = {
        "a.yaml": gateway(place, "young", PORT, "2026-02-01T00:00:00Z"),
        "b.yaml": gateway(place, "old", PORT, "2026-01-01T00:00:00Z"),
    }
    async with serving(tmp_path, files, place=place) as it:
        assert await asked(it, place, PORT) == {f"http://old:{PORT}/"}
        assert await asked(it, place, PORT + 5) == {f"http://young:{PORT + 5}/"}
        assert programmed(it, "old") and not programmed(it, "young")
        assert any(each.code == "SER0904" for each in it.instance.problems())
        it.write("b.yaml", gateway(place, "old", PORT + 1, "2026-01-01T00:00:00Z"))
        await until(lambda: programmed(it, "young"))
        await until(lambda: not any(each.code == "SER0904" for each in it.instance.problems()))


async def test_it_is_free_when_the_gateway_that_has_it_goes(tmp_path: Path) -> None:
    place = Place()
    files = {
        "a.yaml": gateway(place, "young", PORT, "2026-02-01T00:00:00Z"),
        "b.yaml": gateway(place, "old", PORT, "2026-01-01T00:00:00Z"),
    }
    async with serving(tmp_path, files, place=place) as it:
        assert not programmed(it, "young")
        (it.folder / "b.yaml").unlink()
        await until(lambda: programmed(it, "young"))
