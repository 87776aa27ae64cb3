"""How requests are shared among endpoints, and what a change of these changes."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx2
import pytest

from live.listeners import held
from live.serving import SECONDS, Place, Served, multiplexed, serving, until
from live.sick_server import sick
from live.upstreams import upstream
from live.worlds import config, entry, rule, shop

pytestmark = pytest.mark.live


@contextlib.asynccontextmanager
async def world(
    tmp_path: Path, place: Place, addresses: Sequence[str], asked: dict[str, str]
) -> AsyncIterator[Served]:
    """Entries with the same endpoints, each with its policy: `rule-...` are DestinationRules."""
    policies = [
        rule(f"{name}.example", f"trafficPolicy: {{loadBalancer: {{{each}}}}}", name)
        if name.startswith("rule-")
        else config(name, f"loadBalancer: {{{each}}}")
        for name, each in asked.items()
        if each
    ]
    files = {"asked.yaml": "\n        ---".join(policies), "shop.yaml": ""}
    files["shop.yaml"] = entries(place, asked, addresses)
    async with serving(tmp_path, files, [], place) as served:
        yield served


def entries(place: Place, names: Sequence[str] | dict[str, str], addresses: Sequence[str]) -> str:
    return shop(place, *(entry(name, *addresses, port=3000) for name in names))


class Client:
    """Over one connection, so that one of Envoy's threads chooses."""

    def __init__(self, client: httpx2.AsyncClient, at: str) -> None:
        self._client, self._at = client, at

    async def who(self, name: str) -> str:
        found = await self._client.get(f"http://{self._at}:8080/{name}")
        assert found.status_code == 200, found
        return str(found.json()["pod"])

    async def shares(self, name: str, times: int = 60) -> Counter[str]:
        return Counter([await self.who(name) for _ in range(times)])


@contextlib.asynccontextmanager
async def client(served: Served) -> AsyncIterator[Client]:
    async with multiplexed() as made:
        yield Client(made, served.place.gateway)


@contextlib.asynccontextmanager
async def endpoints(addresses: Sequence[str], delays: dict[str, float]) -> AsyncIterator[None]:
    async with contextlib.AsyncExitStack() as stack:
        for each in addresses:
            made = await stack.enter_async_context(upstream(each))
            body = json.dumps({"pod": each}).encode()
            made.answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
            made.delay = delays.get(each, 0.0)
        yield


async def test_endpoints_are_chosen_in_turn_or_by_chance(tmp_path: Path) -> None:
    place = Place()
    addresses = [place.address(), place.address()]
    asked = {
        "turn": "roundRobin: {}",
        "rule-turn": "simple: ROUND_ROBIN",
        "chance": "random: {}",
        "rule-chance": "simple: RANDOM",
    }
    async with (
        endpoints(addresses, {}),
        world(tmp_path, place, addresses, asked) as served,
        client(served) as one,
    ):
        for name in ("turn", "rule-turn"):
            who = [await one.who(name) for _ in range(10)]
            assert who == [who[0], who[1]] * 5
            assert who[0] != who[1]
        for name in ("chance", "rule-chance"):
            who = [await one.who(name) for _ in range(40)]
            assert who != [who[0], who[1]] * 20
            assert len(set(who)) == 2


async def test_the_least_busy_endpoint_is_chosen(tmp_path: Path) -> None:
    place = Place()
    slow, fast = place.address(), place.address()
    asked = {"least": "leastRequest: {choiceCount: 12}", "turn": "roundRobin: {}"}
    async with (
        endpoints([slow, fast], {slow: 0.4}),
        world(tmp_path, place, [slow, fast], asked) as served,
        client(served) as one,
    ):
        for name, sent in (("least", 0), ("turn", 2)):
            waiting = [asyncio.create_task(one.who(name)) for _ in range(2)]
            await asyncio.sleep(0.1)  # one of them is with the slow endpoint still
            who = [await one.who(name) for _ in range(4)]
            assert who.count(slow) == sent, name
            assert sorted(await asyncio.gather(*waiting)) == sorted([slow, fast])


async def test_a_new_endpoint_is_sent_to_little_by_little(tmp_path: Path) -> None:
    place = Place()
    old, new = place.address(), place.address()
    slow = "window: 2s, aggression: '0.2', minWeightPercent: 10"
    asked = {
        "config": f"roundRobin: {{slowStart: {{{slow}}}}}",
        "least": f"leastRequest: {{slowStart: {{{slow}}}}}",
        "rule-warm": "simple: ROUND_ROBIN, "
        "warmup: {duration: 2s, aggression: 0.2, minimumPercent: 10}",
        "plain": "roundRobin: {}",
    }
    async with (
        endpoints([old, new], {}),
        world(tmp_path, place, [old], asked) as served,
        client(served) as one,
    ):
        await asyncio.sleep(2)
        served.write("shop.yaml", entries(place, asked, [old, new]))
        async with asyncio.timeout(SECONDS):
            while (await one.shares("plain", 2))[new] == 0:
                pass
        shares = {name: (await one.shares(name, 40))[new] for name in asked}
        assert shares["plain"] == 20
        assert all(shares[name] < 10 for name in asked if name != "plain"), shares
        await asyncio.sleep(2)
        shares = {name: (await one.shares(name, 40))[new] for name in asked}
        assert all(share > 10 for share in shares.values()), shares


async def test_connections_are_closed_when_endpoints_change_if_asked(tmp_path: Path) -> None:
    place = Place()
    one, two = place.address(), place.address()
    asked = {"closing": "roundRobin: {}, closeConnectionsOnHostSetChange: true", "plain": ""}
    async with (
        upstream(one) as first,
        upstream(two),
        world(tmp_path, place, [one], asked) as served,
        held(place.gateway, 8080) as own,
    ):
        for name in asked:
            assert b"200 OK" in await own.ask(f"/{name}")
        served.write("shop.yaml", entries(place, asked, [one, two]))
        links = {link.heads[0].split(b" ")[1]: link for link in first.links}
        await until(lambda: links[b"/closing"].closed > 0)
        await asyncio.sleep(0.2)
        assert not links[b"/plain"].closed


async def test_changes_of_health_are_taken_together_for_a_while(tmp_path: Path) -> None:
    """Envoy: the first is in force at once, and those after it with the end of the time."""
    place = Place()
    one, two = place.address(), place.address()
    check = "timeout: 1s, interval: 100ms, unhealthyThreshold: 1, healthyThreshold: 1"
    asked = {
        name: f"roundRobin: {{}}, healthyPanicThreshold: 0, updateMergeWindow: {window}}}, "
        f"healthCheck: {{{check}, http: {{path: /healthz}}"
        for name, window in (("late", "2s"), ("soon", "0s"))
    }
    async with (
        sick(one, 3000, "one") as first,
        sick(two, 3000, "two"),
        world(tmp_path, place, [one, two], asked) as served,
        client(served) as asking,
    ):

        async def until_all(name: str, pods: set[str]) -> None:
            async with asyncio.timeout(SECONDS):
                while set(await asking.shares(name, 4)) != pods:
                    pass

        await asyncio.sleep(2)  # longer ago than the first checks
        first.paths["/healthz"] = 500
        for name in asked:
            await until_all(name, {"two"})
        first.paths.clear()
        await until_all("soon", {"one", "two"})
        assert set(await asking.shares("late", 4)) == {"two"}
        await until_all("late", {"one", "two"})
