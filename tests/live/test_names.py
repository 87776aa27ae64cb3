"""Names as Envoy looks them up: how often, what of the answer, and which names never."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from live import worlds
from live.mesh import mesh
from live.name_server import can_choose_its_server, envoy_that_asks, name_server
from live.serving import Place, Served, answer, eventually, pod, serving, workload
from serai.app.standalone import Options
from serai.model.settings import Settings

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(
        not can_choose_its_server(), reason="only root may give a process a resolver of its own"
    ),
]

VIP, NAME = "240.61.8.1", "db.provider.test"


def entry(resolution: str, host: str = "db.example") -> str:
    named = "" if "*" in host else f"endpoints: [{{address: {NAME}}}]"
    return f"""
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {{name: db, namespace: shop}}
        spec:
          hosts: ["{host}"]
          ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 3000}}]
          resolution: {resolution}
          {named}
        status: {{addresses: [{{value: {VIP}, host: "{host}"}}]}}
        """


async def who(served: Served, times: int = 10) -> set[str]:
    return {pod(await served.to_vip(VIP, 80, host="db.example")) for _ in range(times)}


async def test_a_name_is_looked_up_again_when_its_ttl_has_passed_and_not_before(
    tmp_path: Path,
) -> None:
    place = Place()
    one, two, resolver = place.address(), place.address(), place.address()
    options = Options(envoy_path=envoy_that_asks(resolver, tmp_path))
    files = {"mesh.yaml": mesh(place), "db.yaml": entry("DNS")}
    echoes = [workload(one, 3000, "one"), workload(two, 3000, "two")]
    async with name_server(resolver) as names:
        names.addresses[NAME] = (one,)
        async with serving(tmp_path, files, echoes, place, options=options) as served:
            assert await who(served) == {"one"}

            names.addresses[NAME] = (two,)  # the provider fails over
            names.ttl = 3600
            await eventually(
                lambda: served.to_vip(VIP, 80, host="db.example"),
                lambda found: b'"two"' in found.body,
            )
            asked = names.asked[NAME]
            names.addresses[NAME] = (one,)
            await asyncio.sleep(3)
            assert names.asked[NAME] == asked
            assert await who(served) == {"two"}


@pytest.mark.parametrize(
    ("resolution", "answering"), [("DNS", {"one", "two"}), ("DNS_ROUND_ROBIN", {"one"})]
)
async def test_every_address_is_an_endpoint_by_dns_and_the_first_is_by_round_robin(
    tmp_path: Path, resolution: str, answering: set[str]
) -> None:
    place = Place()
    one, two, resolver = place.address(), place.address(), place.address()
    options = Options(envoy_path=envoy_that_asks(resolver, tmp_path))
    files = {"mesh.yaml": mesh(place), "db.yaml": entry(resolution)}
    echoes = [workload(one, 3000, "one"), workload(two, 3000, "two")]
    async with name_server(resolver) as names:
        names.addresses[NAME], names.ttl = (one, two), 3600
        async with serving(tmp_path, files, echoes, place, options=options) as served:
            assert await who(served, 20) == answering


@pytest.mark.parametrize(
    ("family", "answering"),
    [("V4_PREFERRED", {"four"}), ("V6_ONLY", {"six"}), ("ALL", {"four", "six"})],
)
async def test_the_operator_says_which_addresses_of_a_name_are_taken(
    tmp_path: Path, family: Literal["V4_PREFERRED", "V6_ONLY", "ALL"], answering: set[str]
) -> None:
    place = Place()
    four, resolver = place.address(), place.address()
    port = free_port()
    options = Options(envoy_path=envoy_that_asks(resolver, tmp_path))
    files = {"mesh.yaml": mesh(place), "db.yaml": entry("DNS").replace("3000", str(port))}
    settings = msgspec.structs.replace(Settings(), dns_lookup_family=family)
    echoes = [workload(four, port, "four"), workload("::1", port, "six")]
    async with name_server(resolver) as names:
        names.addresses[NAME], names.ttl = (four, "::1"), 3600
        async with serving(tmp_path, files, echoes, place, settings, options) as served:
            assert await who(served, 20) == answering


def free_port() -> int:
    """One on ::1, of which this machine has no other address."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as probe:
        return int(probe.getsockname()[1])


async def test_under_a_wildcard_only_names_that_it_covers_are_asked_for(tmp_path: Path) -> None:
    place = Place()
    one, resolver = place.address(), place.address()
    options = Options(envoy_path=envoy_that_asks(resolver, tmp_path))
    files = {"mesh.yaml": mesh(place), "db.yaml": entry("DYNAMIC_DNS", "*.vendor.test")}
    settings = msgspec.structs.replace(Settings(), allow_resolved=(f"{one}/32",))
    async with name_server(resolver) as names:
        names.addresses |= {
            "eu.vendor.test": (one,),
            "inside.vendor.test": (place.gateway,),
            "eu.other.test": (one,),
        }
        async with serving(
            tmp_path, files, [workload(one, 3000, "one")], place, settings, options=options
        ) as served:

            async def ask(host: str) -> int:
                return answer(await served.to_vip(VIP, 80, host=host)).status

            assert await ask("eu.vendor.test") == 200
            assert await ask("inside.vendor.test") == 403  # no public address, nor one allowed
            assert await ask("eu.other.test") == 404
            assert await ask("vendor.test") == 404
            assert await ask("unknown.vendor.test") == 503

        assert {*names.asked} == {"eu.vendor.test", "inside.vendor.test", "unknown.vendor.test"}


async def test_a_policy_says_how_often_a_name_is_looked_up(tmp_path: Path) -> None:
    place = Place()
    one, resolver = place.address(), place.address()
    asked = {
        "often": "dns: {refreshRate: 200ms}",
        "spread": "dns: {refreshRate: 200ms, jitter: 10s}",
        "heeding": "dns: {refreshRate: 200ms, respectTTL: true}",
        "plain": "connectTimeout: 5s",
    }
    entries = [
        worlds.entry(name, f"{name}.provider.test", port=3000, resolution="DNS") for name in asked
    ]
    files = {f"{name}.yaml": worlds.config(name, spec) for name, spec in asked.items()}
    files["shop.yaml"] = worlds.shop(place, *entries)
    options = Options(envoy_path=envoy_that_asks(resolver, tmp_path))
    echoes = [workload(one, 3000, "one")]
    async with name_server(resolver) as names:
        names.addresses = {f"{name}.provider.test": (one,) for name in asked}
        names.ttl = 3600
        async with serving(tmp_path, files, echoes, place, options=options) as served:
            for name in asked:
                assert pod(await served.to(place.gateway, 8080, f"/{name}")) == "one"
            await asyncio.sleep(2)
            times = {name: names.asked[f"{name}.provider.test"] for name in asked}
    assert times["heeding"] == times["plain"] == 1
    assert times["often"] >= 6
    assert 1 <= times["spread"] < times["often"] - 2
