"""An issuer of tokens: it signs them, and publishes its keys while it is up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

from listening import listening


class Issuer:
    """Whose tokens they are."""

    def __init__(self, name: str, address: str, port: int) -> None:
        self.name = name
        self.address, self.port = address, port
        self.keys: list[RSAKey] = []
        self.asked: Counter[str] = Counter()
        """How often each path was asked for."""
        self.answers: dict[str, bytes] = {}
        """In place of the keys, by path: status line, headers and body."""
        self.jwks_uri = ""
        self.tls: ssl.SSLContext | None = None
        self._up = contextlib.AsyncExitStack()
        self.rotate()

    def rotate(self, *, keep: bool = False) -> None:
        """Sign with a new key from now on; `keep` publishes the former too."""
        key = RSAKey.generate_key(2048, {"kid": f"key-{len(self.keys)}-{time.monotonic_ns()}"})
        self.keys = [*(self.keys if keep else []), key]

    def token(self, *, key: RSAKey | None = None, **claims: Any) -> str:
        """A token that is good for an hour."""
        signer = key or self.keys[-1]
        said = {"iss": self.name, "sub": "ann", "exp": int(time.time()) + 3600, **claims}
        return jwt.encode({"alg": "RS256", "kid": signer.kid}, said, signer)

    @property
    def key_set(self) -> str:
        """The public keys."""
        return json.dumps({"keys": [each.as_dict(private=False) for each in self.keys]})

    async def open(self) -> None:
        """Be up."""
        served = listening(self._answer, self.address, self.port, ssl=self.tls)
        await self._up.enter_async_context(served)

    async def close(self) -> None:
        """Be down."""
        await self._up.aclose()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ")[1].decode()
            self.asked[path] += 1
            writer.write(self.answers.get(path) or self._usual(path))
            await writer.drain()
        writer.close()

    def _usual(self, path: str) -> bytes:
        if path == "/.well-known/openid-configuration":
            return answered(json.dumps({"issuer": self.name, "jwks_uri": self.jwks_uri}))
        return answered(self.key_set)


def answered(body: str, status: str = "200 OK", *headers: str) -> bytes:
    """An answer as bytes."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@contextlib.asynccontextmanager
async def issuer(name: str, address: str, port: int, *, up: bool = True) -> AsyncIterator[Issuer]:
    """An issuer, closed in the end."""
    found = Issuer(name, address, port)
    if up:
        await found.open()
    try:
        yield found
    finally:
        await found.close()
