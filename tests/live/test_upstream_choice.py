"""Which endpoint a request goes to, as policies of both kinds ask for it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from live.serving import SECONDS, Place, Served, answer, pod, serving, workload
from live.worlds import config, entry, rule, shop
from serai.app.client.http import HttpAnswer

pytestmark = pytest.mark.live

ENDPOINTS = 4
COOKIE = "name: who, path: /shop, ttl: 1h"
CONFIGS = {
    "cookie": f"{{cookie: {{{COOKIE}, secure: true, httpOnly: true, sameSite: Strict}}}}",
    "source": "{sourceIP: {}}",
    "first": "{header: {name: x-user}, terminal: true}, {header: {name: x-group}}",
    "all": "{header: {name: x-user}}, {header: {name: x-group}}",
}
RULES = {
    "rule-cookie": "httpCookie: {name: who, ttl: 0s, attributes: [{name: SameSite, value: Lax}]}",
    "rule-source": "useSourceIp: true, ringHash: {minimumRingSize: 2048}",
    "rule-query": "httpQueryParameterName: user, maglev: {tableSize: 101}",
    "rule-header": "httpHeaderName: x-user, minimumRingSize: 2048",
}


class Chosen:
    """Entries with endpoints, and who answered."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._at = served.place.gateway

    async def ask(self, name: str, more: str = "", **headers: str) -> HttpAnswer:
        return answer(await self._served.to(self._at, 8080, f"/{name}{more}", **headers))

    async def among(self, name: str, header: str, values: int = 24) -> list[str]:
        """Who answers to each of many values of a header."""
        named = [{header: f"value-{number}"} for number in range(values)]
        return [pod(await self.ask(name, **each)) for each in named]

    async def from_address(self, name: str, source: str) -> str:
        """Who answers a client at an address of its own."""
        transport = httpx2.AsyncHTTPTransport(verify=False, local_address=source)
        async with httpx2.AsyncClient(transport=transport, timeout=SECONDS) as client:
            found = await client.get(f"http://{self._at}:8080/{name}")
            return str(found.json()["pod"])


@contextlib.asynccontextmanager
async def hashing(tmp_path: Path) -> AsyncIterator[Chosen]:
    place = Place()
    addresses = [place.address() for _ in range(ENDPOINTS)]
    entries = [entry(name, *addresses, port=3000) for name in (*CONFIGS, *RULES)]
    asked = [
        config(name, f"loadBalancer: {{{how}: {{hashPolicies: [{each}]}}}}")
        for (name, each), how in zip(CONFIGS.items(), ["ringHash", "maglev"] * 2, strict=True)
    ]
    asked += [
        rule(
            f"{name}.example",
            f"trafficPolicy: {{loadBalancer: {{consistentHash: {{{each}}}}}}}",
            name,
        )
        for name, each in RULES.items()
    ]
    files = {"shop.yaml": shop(place, *entries), "asked.yaml": "\n        ---".join(asked)}
    echoes = [workload(each, 3000, each) for each in addresses]
    async with serving(tmp_path, files, echoes, place) as served:
        yield Chosen(served)


async def test_what_of_a_request_decides(tmp_path: Path) -> None:
    async with hashing(tmp_path) as chosen:
        for name in ("first", "all", "rule-header"):
            who = await chosen.among(name, "x_user")
            assert len(set(who)) > 1, name
            assert await chosen.among(name, "x_user") == who
        queried = [pod(await chosen.ask("rule-query", f"?user={each}")) for each in range(24)]
        again = [pod(await chosen.ask("rule-query", f"?user={each}")) for each in range(24)]
        assert len(set(queried)) > 1
        assert again == queried
        for name in ("source", "rule-source"):
            sources = [f"127.0.7.{number}" for number in range(1, 17)]
            who = [await chosen.from_address(name, each) for each in sources]
            assert len(set(who)) > 1, name
            assert [await chosen.from_address(name, each) for each in sources] == who


async def test_a_terminal_policy_leaves_nothing_to_the_next(tmp_path: Path) -> None:
    async with hashing(tmp_path) as chosen:

        async def who(name: str) -> set[str]:
            groups = [f"group-{number}" for number in range(24)]
            return {pod(await chosen.ask(name, x_user="one", x_group=each)) for each in groups}

        assert len(await who("first")) == 1
        assert len(await who("all")) > 1


async def test_cookies_are_made_as_asked_and_kept_to(tmp_path: Path) -> None:
    async with hashing(tmp_path) as chosen:
        for name, attributes in (
            ("cookie", {"Max-Age=3600", "Path=/shop", "Secure", "HttpOnly", "SameSite=Strict"}),
            ("rule-cookie", {"SameSite=Lax", "HttpOnly"}),
        ):
            first = await chosen.ask(name)
            cookie, *rest = first.header("set-cookie").split("; ")
            assert cookie.startswith("who=")
            assert sorted(rest) == sorted(attributes)
            kept = {pod(await chosen.ask(name, cookie=cookie.replace('"', ""))) for _ in range(16)}
            assert kept == {pod(first)}
            assert len({pod(await chosen.ask(name)) for _ in range(32)}) > 1
