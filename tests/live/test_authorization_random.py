"""Random AuthorizationPolicies and calls: Envoy decides as a plain reading of Istio."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from live.serving import Place, serving
from property.authorization import (
    ALIASES,
    CLIENT,
    GROUND,
    Call,
    Raw,
    address,
    allowed,
    calls,
    manifests,
    policy_sets,
)
from serai.app.client.http import Entry, HttpAnswer, HttpRequest, send
from serai.app.client.proxy_protocol import proxy_header
from serai.echo.endpoint import EchoEndpoint
from serai.model.settings import Settings

pytestmark = pytest.mark.live

SERVICES = 500
CALLS = 8
AT_ONCE = 16
GREETING = b"hello, whoever you are\n"
SECONDS = 10.0


def _drawn() -> list[tuple[list[Raw], list[Call]]]:
    """Policies of as many services, and calls to each."""
    found: list[tuple[list[Raw], list[Call]]] = []

    @settings(
        max_examples=SERVICES,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(policy_sets, st.lists(calls, min_size=CALLS, max_size=CALLS))
    def collect(policies: list[Raw], asked: list[Call]) -> None:
        found.append((policies, asked))

    collect()
    return found


async def test_envoy_decides_as_the_model(tmp_path: Path) -> None:
    drawn, place = _drawn(), Place()
    written = [raw for number, each in enumerate(drawn) for raw in manifests(number, each[0])]
    files = {"world.yaml": yaml.safe_dump_all([*GROUND, *written])}
    echo = [EchoEndpoint("127.90.1.1", 8080)]
    greeter = await asyncio.start_server(_greet, "127.90.1.1", 8090)
    meant = Settings(trust_domain_aliases=ALIASES)
    gate = asyncio.Semaphore(AT_ONCE)
    async with greeter, serving(tmp_path, files, echo, place, meant):

        async def decided(number: int, call: Call) -> bool:
            async with gate:
                return await _is_allowed(place, number, call)

        asked = [
            (number, call)
            for number, (policies, several) in enumerate(drawn)
            for call in several
            if not _waits(policies, call)
        ]
        found = await asyncio.gather(*(decided(*each) for each in asked))
    wrong = [
        (drawn[number][0], call, is_allowed)
        for (number, call), is_allowed in zip(asked, found, strict=True)
        if is_allowed != allowed(drawn[number][0], call)
    ]
    assert not wrong, f"{len(wrong)} of {len(asked)}, such as {wrong[0]}"
    assert len(asked) // 5 < sum(found) < 4 * len(asked) // 5


async def _is_allowed(place: Place, number: int, call: Call) -> bool:
    if not call.http:
        return await _is_greeted(place, number, call)
    entry = Entry(
        connect=(place.gateway, 15088),
        destination=(address(number), call.port),
        principal=call.caller,
    )
    headers = (("host", call.host), ("connection", "close"), *call.headers)
    asked = HttpRequest(method=call.method, target=call.path, headers=headers)
    answer = await send(entry, asked, SECONDS)
    assert isinstance(answer, HttpAnswer), answer
    assert answer.status in {200, 403}
    return answer.status == 200


async def _is_greeted(place: Place, number: int, call: Call) -> bool:
    """Whether a client that says nothing hears a server that speaks first."""
    reader, writer = await asyncio.open_connection(place.gateway, 15088)
    writer.write(proxy_header((CLIENT, 1234), (address(number), call.port), call.caller))
    try:
        with contextlib.suppress(ConnectionError):
            return await asyncio.wait_for(reader.read(100), SECONDS) == GREETING
        return False
    finally:
        writer.transport.abort()


async def _greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(GREETING)
    await writer.drain()
    writer.close()


def _waits(policies: list[Raw], call: Call) -> bool:
    """What other filters tell is looked at with the client's first byte only."""
    return not call.http and "experimental" in str(policies)
