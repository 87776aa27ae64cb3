"""Listener policies on listeners that share a port and are told apart by SNI."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trustme

from live.https import PORT, REFUSED, authority, gateway, https, policy, route, secret
from live.serving import SECONDS, Place, serving, workload
from live.tls_client import TlsConnection, connection, fetch, trusting

pytestmark = pytest.mark.live


def manifests(place: Place, ca: trustme.CA, at: str) -> dict[str, str]:
    both = https("one", "one.example", "both") + https("two", "two.example", "both")
    return {
        "gateway.yaml": gateway(place, both),
        "both.yaml": secret("both", ca.issue_cert("one.example", "two.example")),
        "one.yaml": route("one", "one", at),
        "two.yaml": route("two", "two", at),
    }


async def _closes(held: TlsConnection, host: str) -> None:
    async with asyncio.timeout(SECONDS):
        with pytest.raises(ConnectionError):
            await _ask_on(held, host)


async def _ask_on(held: TlsConnection, host: str) -> None:
    while True:
        await held.get(host)
        await asyncio.sleep(0.1)


async def test_a_change_leaves_a_neighbour_on_the_port_alone(tmp_path: Path) -> None:
    ca, place = trustme.CA(), Place()
    at = place.address()
    files = manifests(place, ca, at)
    files["policy.yaml"] = policy("one", "{httpSettings: {healthCheck: {path: /first}}}")
    context = trusting(ca)
    async with serving(tmp_path, files, [workload(at, 3000, "api")], place) as served:
        own = await connection(place.gateway, PORT, context, "one.example")
        neighbour = await connection(place.gateway, PORT, context, "two.example")
        assert (await own.get("one.example", "/first")).body == b""
        assert b"pod" in (await neighbour.get("two.example", "/first")).body
        changed = policy("one", "{httpSettings: {healthCheck: {path: /second}}}")
        served.write("policy.yaml", changed)

        async def answers_itself() -> bool:
            at_second = fetch(place.gateway, PORT, context, sni="one.example", path="/second")
            return (await at_second).body == b""

        await _until(answers_itself)
        await _closes(own, "one.example")
        for _ in range(25):  # longer than these Envoys take to drain
            assert (await neighbour.get("two.example")).status == 200
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("mode", ["Require", "Optional"])
async def test_listeners_of_one_port_trust_different_authorities(tmp_path: Path, mode: str) -> None:
    ca, first, second, place = trustme.CA(), trustme.CA(), trustme.CA(), Place()
    at = place.address()
    files = manifests(place, ca, at)
    for name, trust in (("one", first), ("two", second)):
        ref = f'{{group: "", kind: ConfigMap, name: trusted-by-{name}}}'
        check = f"clientCertificateValidation: {{mode: {mode}, caCertificateRefs: [{ref}]}}"
        told = "forwardClientCertDetails: {mode: SanitizeSet, details: {uri: true, subject: true}}"
        files[f"of-{name}.yaml"] = policy(name, f"{{{check}, httpSettings: {{{told}}}}}")
        files[f"trusted-by-{name}.yaml"] = authority(f"trusted-by-{name}", trust)
    async with serving(tmp_path, files, [workload(at, 3000, "api")], place) as served:

        async def ask(host: str, shown: trustme.LeafCert | None) -> bytes:
            found = await fetch(place.gateway, PORT, trusting(ca, shown), sni=host)
            return found.body if found.status == 200 else b""

        of_first, of_second = first.issue_cert("a.client"), second.issue_cert("b.client")
        assert b"Subject=" in await ask("one.example", of_first)
        assert await ask("two.example", of_second)
        for host, shown in (("one.example", of_second), ("two.example", of_first)):
            with pytest.raises(OSError, match=REFUSED):
                await ask(host, shown)
        if mode == "Optional":
            assert b"Subject=" not in await ask("one.example", None)
        else:
            with pytest.raises(OSError, match=REFUSED):
                await ask("one.example", None)
        served.write("trusted-by-one.yaml", authority("trusted-by-one", second))
        await _until(lambda: _taken(ask("one.example", of_second)))


async def test_nobody_is_let_in_by_an_authority_that_is_not_there(tmp_path: Path) -> None:
    ca, clients, place = trustme.CA(), trustme.CA(), Place()
    at = place.address()
    files = manifests(place, ca, at)
    ref = '{group: "", kind: ConfigMap, name: clients}'
    check = f"{{mode: Optional, caCertificateRefs: [{ref}]}}"
    files["policy.yaml"] = policy("one", f"{{clientCertificateValidation: {check}}}")
    async with serving(tmp_path, files, [workload(at, 3000, "api")], place) as served:

        async def ask(host: str, shown: trustme.LeafCert | None) -> bytes:
            return (await fetch(place.gateway, PORT, trusting(ca, shown), sni=host)).body

        for shown in (None, clients.issue_cert("a.client")):
            with pytest.raises(OSError, match=REFUSED):
                await ask("one.example", shown)
        assert b"pod" in await ask("two.example", None)
        served.write("clients.yaml", authority("clients", clients))
        await _until(lambda: _taken(ask("one.example", clients.issue_cert("a.client"))))


async def test_nobody_is_let_in_by_a_policy_that_cannot_be_read(tmp_path: Path) -> None:
    ca, place = trustme.CA(), Place()
    at = place.address()
    files = manifests(place, ca, at)
    check = "clientCertificateValidation: {mode: Perhaps}"
    files["policy.yaml"] = policy("one", f"{{{check}}}")
    async with serving(tmp_path, files, [workload(at, 3000, "api")], place):
        with pytest.raises(OSError, match=REFUSED):
            await fetch(place.gateway, PORT, trusting(ca), sni="one.example")
        found = await fetch(place.gateway, PORT, trusting(ca), sni="two.example")
        assert b"pod" in found.body


async def _taken(asking: Awaitable[bytes]) -> bool:
    try:
        return bool(await asking)
    except OSError:
        return False


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(int(SECONDS / 0.05)):
        if await holds():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("never as wanted")
