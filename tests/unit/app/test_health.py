"""Envoys are asked once for many who want to know, and nobody waits for those that are silent."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest

from listening import listening
from serai.app import health
from serai.app.health import EnvoyHealth
from serai.envoy.event import EnvoyStatus
from serai.views.state import EndpointHealth


def address(where: str) -> dict[str, object]:
    if where.startswith("/"):
        return {"pipe": {"path": where}}
    return {"socket_address": {"address": where, "port_value": 80}}


class FakeEnvoy:
    """An admin interface that knows of one cluster."""

    def __init__(self, *hosts: tuple[str, dict[str, object]]) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.admin = ""
        statuses = [{"address": address(where), "health_status": said} for where, said in hosts]
        mine = {"name": "pay", "added_via_api": True, "host_statuses": statuses}
        self._answer = json.dumps({"cluster_statuses": [mine, {"name": "xds"}]}).encode()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            self.asked += 1
            await self.may_answer.wait()
            head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(self._answer)}\r\n\r\n"
            writer.write(head.encode() + self._answer)
            await writer.drain()
        writer.close()

    def status(self, gateway: str) -> EnvoyStatus:
        return EnvoyStatus(gateway=gateway, state="ready", admin=self.admin)


@contextlib.asynccontextmanager
async def answering(*envoys: FakeEnvoy) -> AsyncIterator[EnvoyHealth]:
    found = EnvoyHealth()
    async with contextlib.AsyncExitStack() as servers:
        for envoy in envoys:
            server = await servers.enter_async_context(listening(envoy.serve, "127.0.0.1"))
            envoy.admin = "{}:{}".format(*server.sockets[0].getsockname())
        try:
            yield found
        finally:
            for envoy in envoys:
                envoy.may_answer.set()
            await found.close()


async def test_each_envoy_says_what_it_thinks() -> None:
    one = FakeEnvoy(("10.0.0.1", {}), ("10.0.0.2", {"failed_active_health_check": True}))
    two = FakeEnvoy(("10.0.0.1", {"eds_health_status": "UNHEALTHY"}))

    async with answering(one, two) as found:
        heard = await found.of([one.status("infra/edge"), two.status("infra/waypoint")])

    assert heard.answered == {"infra/edge": True, "infra/waypoint": True}
    assert heard.health == {
        "pay": (
            EndpointHealth("10.0.0.1:80", True, "", "infra/edge"),
            EndpointHealth("10.0.0.2:80", False, "failed_active_health_check", "infra/edge"),
            EndpointHealth("10.0.0.1:80", False, "eds_unhealthy", "infra/waypoint"),
        )
    }


async def test_a_unix_socket_has_the_name_that_it_has_in_manifests() -> None:
    envoy = FakeEnvoy(("/run/pay.sock", {}))

    async with answering(envoy) as found:
        heard = await found.of([envoy.status("infra/edge")])

    assert [each.address for each in heard.health["pay"]] == ["unix:///run/pay.sock"]


async def test_nobody_to_ask_is_no_answer() -> None:
    async with answering() as found:
        heard = await found.of([])

    assert (heard.health, heard.answered) == ({}, {})


async def test_many_who_ask_are_one_question(monkeypatch: pytest.MonkeyPatch) -> None:
    envoy = FakeEnvoy(("10.0.0.1", {}))

    async with answering(envoy) as found:
        asking = [found.of([envoy.status("infra/edge")]) for _ in range(5)]
        first, *others = await asyncio.gather(*asking)
        again = await found.of([envoy.status("infra/edge")])
        assert all(each == first for each in (*others, again)) and envoy.asked == 1

        monkeypatch.setattr(health, "FRESH_SECONDS", -1.0)
        await found.of([envoy.status("infra/edge")])
        assert envoy.asked == 2


async def test_silence_is_unknown_and_a_late_answer_serves_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "ANSWER_SECONDS", 0.05)
    quick, slow = FakeEnvoy(("10.0.0.1", {})), FakeEnvoy(("10.0.0.1", {}))
    slow.may_answer.clear()
    starting = EnvoyStatus(gateway="infra/new", state="starting")

    async with answering(quick, slow) as found:
        envoys = [quick.status("infra/edge"), slow.status("infra/waypoint"), starting]
        heard = await found.of(envoys)
        assert heard.answered == {"infra/edge": True, "infra/waypoint": False, "infra/new": False}
        assert [each.gateway for each in heard.health["pay"]] == ["infra/edge"]

        slow.may_answer.set()
        monkeypatch.setattr(health, "ANSWER_SECONDS", 5.0)
        heard = await found.of(envoys)
        assert heard.answered["infra/waypoint"] and slow.asked == 1


async def test_an_envoy_that_is_stuck_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LONGEST_SECONDS", 0.05)
    stuck = FakeEnvoy()
    stuck.may_answer.clear()

    async with answering(stuck) as found:
        async with asyncio.timeout(health.ANSWER_SECONDS / 2):
            heard = await found.of([stuck.status("infra/edge")])

    assert heard.answered == {"infra/edge": False}


async def test_an_envoy_that_is_gone_is_forgotten() -> None:
    envoy = FakeEnvoy()

    async with answering(envoy) as found:
        await found.of([envoy.status("infra/edge")])
        assert (await found.of([])).answered == {}
        await found.of([envoy.status("infra/edge")])

    assert envoy.asked == 2
