"""A process that can't be mistaken for a later one with the same number."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

POLL_SECONDS = 0.25
"""How often an exit is looked for where the kernel can't tell it (not Linux)."""


class Pid(msgspec.Struct, frozen=True):
    """A process: its number, and when it started."""

    number: int
    started: str
    """Opaque; no two processes that ever had the same number share it, whatever the clock did."""


def pid_of(number: int) -> Pid | None:
    """The running process with this number; None if there is none, or only its remains."""
    if number <= 0:
        return None
    started = _started_linux(number) if sys.platform == "linux" else _started_elsewhere(number)
    return Pid(number, started) if started else None


def is_running(pid: Pid) -> bool:
    """Whether this very process runs still."""
    return pid_of(pid.number) == pid


def command_of(number: int) -> tuple[str, ...]:
    """The command line of a process; empty if it is gone or may not be read."""
    try:
        return tuple(psutil.Process(number).cmdline())
    except (psutil.Error, OSError):
        return ()


def processes() -> Iterator[tuple[Pid, tuple[str, ...]]]:
    """All running processes that we may see, ourselves excepted, with their command lines."""
    for process in psutil.process_iter(["cmdline"]):
        command = tuple(process.info["cmdline"] or ())
        pid = pid_of(process.pid)
        if command and pid is not None and process.pid != os.getpid():
            yield pid, command


def send(pid: Pid, number: signal.Signals) -> bool:
    """Send a signal to this process, never to a later one; False if it is gone."""
    with _pinned(pid) as descriptor:
        if not is_running(pid):
            return False
        try:
            if sys.platform == "linux" and descriptor is not None:
                signal.pidfd_send_signal(descriptor, number)
            else:
                os.kill(pid.number, number)
        except ProcessLookupError:
            return False
    return True


async def exited(pid: Pid) -> None:
    """Return when the process has ended: at once on Linux, within POLL_SECONDS elsewhere."""
    with _pinned(pid) as descriptor:
        if descriptor is None:
            while is_running(pid):  # noqa: ASYNC110  # there is nothing else to wait for
                await asyncio.sleep(POLL_SECONDS)
            return
        if not is_running(pid):
            return
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(descriptor)


@contextlib.contextmanager
def _pinned(pid: Pid) -> Iterator[int | None]:
    """A descriptor of the process, while which its number can't pass to another; None without."""
    descriptor = None
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(pid.number)
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _started_linux(number: int) -> str | None:
    # Ticks since boot, where psutil's create_time() moves with the wall clock.
    try:
        stat = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else f"{_boot()}:{fields[18]}"


@functools.cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def _started_elsewhere(number: int) -> str | None:
    try:
        process = psutil.Process(number)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.Error:
        return None
