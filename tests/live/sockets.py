"""The sockets of a running Envoy, to see what the kernel was told of them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

_PIDFD_GETFD = 438
"""The system call's number, the same on every architecture of Linux."""


@contextlib.contextmanager
def socket_of(
    process: int, local: tuple[str, int], *, accepted: bool = False
) -> Iterator[socket.socket]:
    """A copy of a process's socket, by the address of its own end; skips where none is given.

    `accepted`: not the one that listens there.
    """
    system, handle = ctypes.CDLL(None, use_errno=True), os.pidfd_open(process)
    try:
        for number in _sockets(process):
            copy = system.syscall(_PIDFD_GETFD, handle, number, 0)
            if copy < 0:
                pytest.skip(f"no look at another's sockets: {os.strerror(ctypes.get_errno())}")
            with socket.socket(fileno=copy) as found:
                listens = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                if found.getsockname() == local and not (accepted and listens):
                    yield found
                    return
    finally:
        os.close(handle)
    raise AssertionError(f"{process} has no socket at {local}")


def _sockets(process: int) -> Iterator[int]:
    for each in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            if str(each.readlink()).startswith("socket:"):
                yield int(each.name)


def waits_for_acknowledgements(local: tuple[str, int]) -> bool:
    """Whether what is sent over a connection that we accepted may wait (Nagle's algorithm)."""
    with socket_of(os.getpid(), local, accepted=True) as found:
        return not found.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def keepalive(found: socket.socket) -> tuple[int, int, int, int]:
    """Whether it asks a silent peer, after how many seconds, how often, and how many times."""
    tcp = socket.IPPROTO_TCP
    return (
        found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        found.getsockopt(tcp, socket.TCP_KEEPIDLE),
        found.getsockopt(tcp, socket.TCP_KEEPINTVL),
        found.getsockopt(tcp, socket.TCP_KEEPCNT),
    )
