"""What Envoy offers when it begins TLS: the ClientHello, read from the wire."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator

import msgspec

_SERVER_NAME, _GROUPS, _SIGNATURES, _ALPN, _VERSIONS = 0, 10, 13, 16, 43
TLS12, TLS13 = 0x0303, 0x0304


class Hello(msgspec.Struct, frozen=True):
    """What a client offers, as the numbers of RFC 8446."""

    ciphers: tuple[int, ...]
    versions: tuple[int, ...]
    groups: tuple[int, ...]
    signatures: tuple[int, ...]
    alpn: tuple[str, ...]
    server_name: str


def parsed(record: bytes) -> Hello:
    """A ClientHello that is one record of TLS."""
    at = 5 + 4 + 2 + 32
    at += 1 + record[at]
    length = struct.unpack_from(">H", record, at)[0]
    ciphers = _numbers(record[at + 2 : at + 2 + length])
    at += 2 + length
    at += 1 + record[at] + 2
    extensions: dict[int, bytes] = {}
    while at < len(record):
        kind, length = struct.unpack_from(">HH", record, at)
        extensions[kind] = record[at + 4 : at + 4 + length]
        at += 4 + length
    return Hello(
        ciphers=ciphers,
        versions=_numbers(extensions.get(_VERSIONS, record[8:11])[1:]),
        groups=_numbers(extensions.get(_GROUPS, b"")[2:]),
        signatures=_numbers(extensions.get(_SIGNATURES, b"")[2:]),
        alpn=_names(extensions.get(_ALPN, b"")[2:]),
        server_name=extensions.get(_SERVER_NAME, b"")[5:].decode(),
    )


def _numbers(data: bytes) -> tuple[int, ...]:
    """Without those that are there only so that servers learn to ignore what they don't know."""
    found = struct.unpack(f">{len(data) // 2}H", data)
    return tuple(each for each in found if each & 0x0F0F != 0x0A0A)


def _names(data: bytes) -> tuple[str, ...]:
    found = []
    while data:
        found.append(data[1 : 1 + data[0]].decode())
        data = data[1 + data[0] :]
    return tuple(found)


@contextlib.asynccontextmanager
async def greeted(address: str, port: int = 3000) -> AsyncIterator[list[Hello]]:
    """Hears ClientHellos while the context lasts, and answers none."""
    found: list[Hello] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await reader.readexactly(5)
            found.append(parsed(head + await reader.readexactly(struct.unpack(">H", head[3:])[0])))
        writer.close()

    listening = await asyncio.start_server(hear, address, port)
    async with listening:
        yield found
