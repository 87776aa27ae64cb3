"""What stands for ztunnel before a waypoint: it hands connections over inside the Pod."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import socket
from collections.abc import Callable

from kube.node.network import path_of

CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)


def connected(space: str, address: tuple[str, int]) -> socket.socket:
    """A connection made inside a namespace.  Raises OSError.  For a thread of its own."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        inside = os.open(path_of(space), os.O_RDONLY)
        try:
            _enter(inside)
            return socket.create_connection(address, timeout=5)
        finally:
            _enter(own)
            os.close(inside)
    finally:
        os.close(own)


def _enter(namespace: int) -> None:
    if _LIBC.setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


async def relay(space: Callable[[], str], port: int) -> asyncio.Server:
    """A server on loopback whose connections go on to a port of loopback in a namespace."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            made = await asyncio.to_thread(connected, space(), ("127.0.0.1", port))
        except OSError:
            writer.transport.abort()
            return
        made.setblocking(False)
        there, back = await asyncio.open_connection(sock=made)
        await asyncio.gather(_pump(reader, back), _pump(there, writer))

    return await asyncio.start_server(one, "127.0.0.1", 0)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
