from __future__ import annotations

import asyncio
import json
import socket
import ssl
from pathlib import Path
from typing import Literal

import pytest
import yaml

from live.serving import Place
from serai.api.core import ConfigMap, Secret
from serai.api.decode import decode
from serai.api.problem import Problem
from serai.app.client.http import Entry, HttpAnswer, HttpRequest, send
from serai.app.demo.authority import Authority
from serai.app.demo.stand_ins import StandIns, on_loopback
from serai.app.demo.steps import Server, Trust
from serai.model import pem


async def ask(address: str, port: int, target: str = "/") -> HttpAnswer | Problem:
    request = HttpRequest(target=target, headers=(("host", "x"),))
    return await send(Entry(connect=(address, port)), request, 5)


async def status(address: str, port: int, target: str = "/") -> int:
    answer = await ask(address, port, target)
    return answer.status if isinstance(answer, HttpAnswer) else 0


async def test_a_server_fails_its_health_checks_goes_and_comes_back() -> None:
    where = Place().address()
    at = f"{where}:7001"
    async with StandIns() as servers:
        await servers.become(Server(at=at, name="vm-1"))
        answer = await ask(where, 7001)
        assert isinstance(answer, HttpAnswer) and json.loads(answer.body)["pod"] == "vm-1"
        assert await status(where, 7001, "/healthz") == 200

        await servers.become(Server(at=at, becomes="failing"))
        assert await status(where, 7001, "/healthz") == 503
        assert await status(where, 7001) == 200

        await servers.become(Server(at=at, becomes="gone"))
        assert await status(where, 7001) == 0

        await servers.become(Server(at=at))
        assert await status(where, 7001, "/healthz") == 200
        answer = await ask(where, 7001)
        assert isinstance(answer, HttpAnswer) and json.loads(answer.body)["pod"] == "vm-1"
    assert await status(where, 7001) == 0


async def test_a_server_shows_the_certificate_it_is_told_to(tmp_path: Path) -> None:
    where, ours, theirs = Place().address(), Authority("us", tmp_path), Authority("them", tmp_path)
    context = ssl.create_default_context(cadata=ours.pem)

    async def fault(name: str) -> str:
        try:
            _, writer = await asyncio.open_connection(
                where, 7002, ssl=context, server_hostname=name
            )
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
        writer.close()
        return ""

    async with StandIns(ours, theirs) as servers:
        at = f"{where}:7002"
        await servers.become(Server(at=at, speaks="https", shows=("a.example", "*.b.example")))
        assert await fault("a.example") == ""
        assert await fault("x.b.example") == ""
        assert "mismatch" in await fault("c.example")

        await servers.become(Server(at=at, shows=("c.example",)))
        assert await fault("c.example") == ""
        assert "mismatch" in await fault("a.example")

        await servers.become(Server(at=at, trusted=False))
        assert "unable to get local issuer" in await fault("c.example")


async def test_an_address_that_is_taken_or_is_none_is_told() -> None:
    where = Place().address()
    async with StandIns() as servers:
        with socket.create_server((where, 7003)), pytest.raises(OSError, match=f"{where}:7003"):
            await servers.become(Server(at=f"{where}:7003"))
        for wrong in ("10.0.0.1:80", "example.com:80", "127.0.0.1", "127.0.0.1:x"):
            with pytest.raises(ValueError, match="ADDRESS:PORT"):
                await servers.become(Server(at=wrong))


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_the_authority_is_an_object_that_policies_can_name(
    tmp_path: Path, kind: Literal["ConfigMap", "Secret"]
) -> None:
    authority = Authority("us", tmp_path)
    trust = Trust(kind=kind, namespace="a", name="b", file="f")
    found = decode(yaml.safe_load(authority.manifest(trust)))
    assert isinstance(found.object, ConfigMap | Secret)
    assert str(found.object.key) == f"{kind} a/b"
    assert pem.value_of(found.object, pem.CA) == authority.pem
    assert pem.bundle_fault(authority.pem) == ""


def test_names_under_localhost_are_on_loopback_and_no_resolver_is_asked_for_others() -> None:
    assert on_loopback("127.3.4.5") == "127.3.4.5"
    assert on_loopback("db.localhost") == on_loopback("localhost") == "127.0.0.1"
    assert on_loopback("10.0.0.1") == on_loopback("example.com") == ""
