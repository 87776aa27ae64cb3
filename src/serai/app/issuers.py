"""Issuers that GatewayExtensions name, asked for their endpoints, again from time to time.

Only the document that OpenID Connect Discovery names is asked for, over TLS; no redirect is
followed, and no more than its endpoints is taken from it.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator

import httpx2
import msgspec
import structlog

from serai.app.core import Core
from serai.model.issuers import LARGEST_BYTES, Issuer, document_of, is_issuer, issuer

LOOK_SECONDS = 0.5
TIMEOUT_SECONDS = 5.0
FRESH_SECONDS = 3600.0
"""How long what was told is taken for true; what is told no more stays in force."""
AGAIN_SECONDS = (1.0, 60.0)
"""After a failure, and at most after several."""
MOST_FAILURES = 10
"""That are counted."""

log = structlog.get_logger()


class _Asked(msgspec.Struct):
    due: float = 0.0
    failures: int = 0


async def follow_issuers(core: Core, publish: Callable[[], Awaitable[None]]) -> None:
    """Ask every issuer that is named, until cancelled; `publish` commits what was learned."""
    asked: dict[str, _Asked] = {}
    while True:
        wanted = set(_named(core))
        for uri in asked.keys() - wanted:
            del asked[uri]
        due = [uri for uri in wanted if _is_due(asked.setdefault(uri, _Asked()))]
        found = await _ask_all(due) if due else []
        for uri, told in zip(due, found, strict=True):
            _note(core, uri, told, asked[uri])
        if any(isinstance(told, Issuer) for told in found):
            await publish()
        await asyncio.sleep(LOOK_SECONDS)


def _named(core: Core) -> Iterator[str]:
    table = core.pipeline.inputs.table("GatewayExtension")
    for found in (row.spec.oauth2 for _, row in table.items()):
        if found is not None and found.issuer_uri and is_issuer(found.issuer_uri):
            yield found.issuer_uri


def _is_due(asked: _Asked) -> bool:
    return asked.due <= time.monotonic()


def _note(core: Core, uri: str, told: Issuer | str, asked: _Asked) -> None:
    if isinstance(told, Issuer):
        core.learn(uri, told)
        asked.failures, wait = 0, FRESH_SECONDS
    else:
        first, longest = AGAIN_SECONDS
        wait = min(first * 2**asked.failures, longest)
        # It may be away for days, and no wait is 2 to the power of that many.
        asked.failures = min(asked.failures + 1, MOST_FAILURES)
        log.warning("issuer.not_asked", issuer=uri, error=told, again_seconds=wait)
    asked.due = time.monotonic() + wait


async def _ask_all(uris: list[str]) -> list[Issuer | str]:
    # The authorities take 45 ms and 3 MiB to load, and mostly no issuer is named at all.
    verify = await asyncio.to_thread(ssl.create_default_context)
    async with httpx2.AsyncClient(
        verify=verify, timeout=TIMEOUT_SECONDS, trust_env=False
    ) as client:
        return list(await asyncio.gather(*(_ask(client, uri) for uri in uris)))


async def _ask(client: httpx2.AsyncClient, uri: str) -> Issuer | str:
    try:
        async with client.stream("GET", document_of(uri), follow_redirects=False) as answer:
            if answer.status_code != httpx2.codes.OK:
                return f"it answered {answer.status_code}"
            document = b""
            async for part in answer.aiter_bytes():
                document += part
                if len(document) > LARGEST_BYTES:
                    return f"it told more than {LARGEST_BYTES} bytes"
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        return f"{type(error).__name__} {error}".strip()
    return issuer(uri, document)
