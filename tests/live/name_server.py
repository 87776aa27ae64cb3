"""A DNS server that says what a test wants, and Envoys that ask it and no other."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import struct
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path
from typing import cast

from serai.envoy.binary import find_envoy

A, AAAA, NXDOMAIN = 1, 28, 3
_PORT = 53


class Names(asyncio.DatagramProtocol):
    """What the server knows, and what it was asked for."""

    def __init__(self) -> None:
        self.addresses: dict[str, tuple[str, ...]] = {}
        self.ttl = 1
        self.asked: Counter[str] = Counter()
        """How often for the IPv4 addresses of each name."""
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Python 3.11's own is no DatagramTransport by its class.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        name, kind, question = _question(data)
        if kind == A:
            self.asked[name] += 1
        known = [ip_address(each) for each in self.addresses.get(name, ())]
        found = [each.packed for each in known if each.version == (4 if kind == A else 6)]
        code = 0 if known else NXDOMAIN
        head = data[:2] + struct.pack(">HHHHH", 0x8580 | code, 1, len(found), 0, 0)
        answers = b"".join(
            struct.pack(">HHHIH", 0xC00C, kind, 1, self.ttl, len(each)) + each for each in found
        )
        assert self._transport is not None
        self._transport.sendto(head + question + answers, addr)


def _question(data: bytes) -> tuple[str, int, bytes]:
    labels, at = [], 12
    while length := data[at]:
        labels.append(data[at + 1 : at + 1 + length].decode())
        at += 1 + length
    (kind,) = struct.unpack(">H", data[at + 1 : at + 3])
    return ".".join(labels).lower(), kind, data[12 : at + 5]


@contextlib.asynccontextmanager
async def name_server(address: str) -> AsyncIterator[Names]:
    """Answers at port 53 of an address while the context lasts."""
    loop = asyncio.get_running_loop()
    transport, names = await loop.create_datagram_endpoint(Names, local_addr=(address, _PORT))
    try:
        yield names
    finally:
        transport.close()


def can_choose_its_server() -> bool:
    """Whether a process may have an /etc/resolv.conf of its own here."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    tried = ["unshare", "-m", "mount", "--bind", "/etc/hosts", "/etc/resolv.conf"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


def envoy_that_asks(address: str, folder: Path) -> str:
    """The path of an Envoy that looks names up at `address`."""
    binary, _ = find_envoy()
    assert binary is not None
    config, program = folder / "resolv.conf", folder / "envoy"
    config.write_text(f"nameserver {address}\noptions ndots:1\n")
    inner = f'mount --bind {config} /etc/resolv.conf && exec {binary.path} "$@"'
    program.write_text(f"#!/bin/sh\nexec unshare -m sh -c '{inner}' envoy \"$@\"\n")
    program.chmod(0o755)
    return str(program)
