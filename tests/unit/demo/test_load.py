from __future__ import annotations

import asyncio

from live.serving import Place
from serai.api.meta import Key
from serai.app.demo.load import Meanwhile, Requests
from serai.app.demo.stage import Played
from serai.app.demo.stand_ins import StandIns
from serai.app.demo.steps import Load, Server
from serai.trace.outcome import Closed, Trace
from serai.trace.request import GatewayPort, TraceRequest
from serai.trace.resolve import Unresolved
from serai.web.enter import WayIn


def way(address: str, port: int) -> WayIn:
    gateway = GatewayPort(Key("Gateway", "shop", "edge"), port)
    request = TraceRequest(way=gateway, authority="x", path="/", method="GET", scheme="http")
    return WayIn(Trace(request, (), Closed("", "")), (address, port))


async def test_requests_go_on_and_those_that_fail_are_counted() -> None:
    where = Place().address()
    load = Load(get="http://x/", per_second=200)
    async with StandIns() as servers:
        await servers.become(Server(at=f"{where}:7001"))
        requests = Requests(load, lambda _: way(where, 7001))
        async with requests.going_on():
            await asyncio.sleep(0.5)
            well = requests.take()
            assert 20 < well.requests <= 110 and well.failed == 0

            await servers.become(Server(at=f"{where}:7001", becomes="gone"))
            await asyncio.sleep(0.3)
            gone = requests.take()
            assert gone.failed > 10 and f"{where}:7001" in gone.first
        assert requests.take().requests <= 1


async def test_a_url_that_leads_nowhere_fails() -> None:
    requests = Requests(Load(get="http://x/"), lambda _: Unresolved("UnknownHost", "who is x?"))
    async with requests.going_on():
        await asyncio.sleep(0.1)
    found = requests.take()
    assert found.failed == found.requests > 0 and found.first == "who is x?"


def test_a_request_that_fails_meanwhile_fails_the_step() -> None:
    same = {"status": "200"}
    assert Played(expected=same, got=same, meanwhile=Meanwhile(10, 0)).passed
    assert not Played(expected=same, got=same, meanwhile=Meanwhile(10, 1)).passed
