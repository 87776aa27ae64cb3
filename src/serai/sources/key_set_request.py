"""One request for a key set, and all that is not done for it."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
import ssl
from collections.abc import Iterable
from typing import Any

import httpx2

from serai.ir.cluster import Endpoint
from serai.ir.tls import UpstreamTls
from serai.model.addresses import is_ip, is_socket
from serai.model.own import is_own
from serai.model.settings import Settings
from serai.policies.feature import Fault
from serai.policies.tokens.url import Parsed, parsed
from serai.translate.tokens import Fetch

MOST_BYTES = 1_000_000
MOST_TRIED = 3
"""Endpoints that are asked, one after the other."""
WELL_KNOWN = "/.well-known/openid-configuration"
_OK = 200

Target = tuple[str, int]


class Unfetched(Exception):  # noqa: N818  # it says what did not happen
    """Why nothing was fetched, in words that say nothing of what was answered."""


async def fetched_text(fetch: Fetch, settings: Settings) -> str:
    """The text of a key set.  Raises Unfetched, after the source's timeout at the latest."""
    source = fetch.source
    try:
        async with asyncio.timeout(source.timeout_seconds):
            url = _parsed(source.url.rstrip("/") + WELL_KNOWN if source.discovered else source.url)
            answer = await _get(url, fetch, settings)
            if source.discovered:
                answer = await _get(_discovered(answer, url), fetch, settings)
    except TimeoutError:
        raise Unfetched(f"there was no answer within {source.timeout_seconds:g} s") from None
    try:
        return answer.decode()
    except UnicodeError:
        raise Unfetched("the answer is not text") from None


def _parsed(text: str) -> Parsed:
    found = parsed(text)
    if isinstance(found, Fault):
        raise Unfetched(found.message)
    return found


def _discovered(answer: bytes, asked: Parsed) -> Parsed:
    """Where an issuer's configuration says that its keys are; never by less secure means."""
    try:
        said: Any = json.loads(answer)
    except ValueError:
        said = None
    found = said.get("jwks_uri") if isinstance(said, dict) else None
    if not isinstance(found, str):
        raise Unfetched("the issuer's configuration names no jwks_uri")
    url = _parsed(found)
    if asked.text.startswith("https:") and not url.text.startswith("https:"):
        raise Unfetched("the issuer's configuration names a jwks_uri without TLS")
    return url


async def _get(url: Parsed, fetch: Fetch, settings: Settings) -> bytes:
    known = _parsed(fetch.source.url)
    in_mesh = bool(fetch.source.cluster) and url.host == known.host and url.port == known.port
    leaves = fetch.leaves if in_mesh else ()
    tls = next((each for each in leaves if isinstance(each, UpstreamTls)), None)
    failure = f"{url.host} has no endpoints"
    for target in (await _targets(url, fetch.endpoints if in_mesh else None, settings))[
        :MOST_TRIED
    ]:
        try:
            return await _ask(target, url, tls)
        except (httpx2.HTTPError, OSError, ssl.SSLError) as error:
            failure = f"{url.host} cannot be asked: {type(error).__name__}"
        except Unfetched as error:
            failure = str(error)
    raise Unfetched(failure)


async def _targets(
    url: Parsed, endpoints: tuple[Endpoint, ...] | None, settings: Settings
) -> list[Target]:
    """Addresses that may be connected to."""
    named = (
        [(url.host, url.port)]
        if endpoints is None
        else [(each.address, each.port) for each in endpoints if not is_socket(each.address)]
    )
    found: list[Target] = []
    for host, port in named[:MOST_TRIED]:
        found += [(address, port) for address in await _addresses(host, port)]
    kept = [each for each in dict.fromkeys(found) if is_permitted(*each, settings)]
    if found and not kept:
        raise Unfetched(f"{url.host} is at an address that is not asked for keys")
    return kept


async def _addresses(host: str, port: int) -> Iterable[str]:
    if is_ip(host):
        return (host,)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unfetched(f"the name {host} cannot be looked up") from None
    return dict.fromkeys(str(each[4][0]) for each in found)


def is_permitted(address: str, port: int, settings: Settings) -> bool:
    """Whether keys may be fetched at an address.

    Never from our own places or the machine's metadata; from loopback only where all is on one
    machine, which belongs to whoever writes the objects.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if is_own(address, port, settings):
        return False
    if any(found in ipaddress.ip_network(each, strict=False) for each in settings.allow_resolved):
        return True
    if found.is_loopback:
        return settings.standalone
    hidden = isinstance(found, ipaddress.IPv6Address) and (
        found.ipv4_mapped or found.sixtofour or found.teredo
    )
    odd = found.is_link_local or found.is_multicast or found.is_unspecified or found.is_reserved
    return not (hidden or odd)


async def _ask(target: Target, url: Parsed, tls: UpstreamTls | None) -> bytes:
    """Ask at one address, by the name in the URL."""
    request = httpx2.URL(url.text)
    secure = tls is not None or request.scheme == "https"
    where = request.copy_with(scheme="https" if secure else "http", host=target[0], port=target[1])
    headers = {"host": request.netloc.decode(), "accept": "application/json"}
    extensions = {"sni_hostname": _name(url, tls)} if secure else {}
    verify = await asyncio.to_thread(_trust, tls) if secure else False
    async with (
        httpx2.AsyncClient(verify=verify, trust_env=False, follow_redirects=False) as client,
        client.stream("GET", where, headers=headers, extensions=extensions) as answer,
    ):
        if answer.status_code != _OK:
            raise Unfetched(f"{url.host} answered {answer.status_code}")
        body = b""
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > MOST_BYTES:
                raise Unfetched(f"{url.host} answered with more than {MOST_BYTES} bytes")
        return body


def _name(url: Parsed, tls: UpstreamTls | None) -> str:
    """Whose certificate is expected."""
    names = [each.value for each in tls.names if each.kind == "DNS"] if tls else []
    return names[0] if names else (tls.sni if tls and tls.sni else url.host)


def _trust(tls: UpstreamTls | None) -> ssl.SSLContext:
    """Always verified: who can answer in an issuer's place can make tokens."""
    trust = tls.trust if tls else None
    if trust is not None and trust.pem:
        return ssl.create_default_context(cadata=trust.pem)
    return ssl.create_default_context(cafile=trust.path if trust and trust.path else None)
