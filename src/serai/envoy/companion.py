"""A process of ours beside the Envoys, which lives as they do: on after us, to be found again."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import structlog

from serai.envoy import logfile
from serai.envoy.pid import Pid, exited, is_running, pid_of, send
from serai.envoy.restarts import RestartPolicy, after_death
from serai.envoy.state import Instance, write_atomically

log = structlog.get_logger(__name__)

READY_SECONDS = 10.0
TERMINATE_SECONDS = 5.0
POLL_SECONDS = 0.02


class Record(msgspec.Struct, frozen=True):
    """A companion, as written to disk."""

    pid: Pid
    command: tuple[str, ...]


class Companion:
    """Keeps a process running from the first `ensure` until `stop`.  For one event loop."""

    def __init__(
        self,
        instance: Instance,
        name: str,
        command: tuple[str, ...],
        is_ready: Callable[[], Awaitable[bool]],
        *,
        bind_life: bool = False,
    ) -> None:
        """With `bind_life` the command ends when its standard input does, and is given one."""
        self._name = name
        self._command = command
        self._is_ready = is_ready
        self._bind_life = bind_life
        self._file = _file(instance, name)
        self._log = instance.folder / "logs" / f"{name}.log"
        self._child: subprocess.Popen[bytes] | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs; 0 if none does."""
        record = _read(self._file)
        return record.pid.number if record and is_running(record.pid) else 0

    async def ensure(self) -> None:
        """Have it running; the first time, return when it is ready, or after READY_SECONDS.

        One that an earlier life of ours left is taken over, if it is to be run just so.
        """
        if self._keeping is not None:
            return
        self._keeping = asyncio.create_task(self._keep(await self._found()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_SECONDS):
                while not await self._is_ready():  # noqa: ASYNC110  # it tells nobody
                    await asyncio.sleep(POLL_SECONDS)

    async def _found(self) -> Record | None:
        record = _read(self._file)
        if record and is_running(record.pid) and record.command == self._command:
            log.info("companion.adopted", name=self._name, pid=record.pid.number)
            return record
        await _end(record)
        return self._start()

    async def stop(self) -> None:
        """End it."""
        if self._keeping is None:
            return
        self._keeping.cancel()
        await asyncio.gather(self._keeping, return_exceptions=True)
        self._keeping = None
        await _end(_read(self._file))
        self._reap()
        self._file.unlink(missing_ok=True)

    async def _keep(self, record: Record | None) -> None:
        policy, deaths = RestartPolicy(), 0
        while True:
            began = time.monotonic()
            if record is not None:
                await exited(record.pid)
                self._reap()
                log.warning("companion.died", name=self._name, log=str(self._log))
            again = after_death(policy, deaths, time.monotonic() - began)
            deaths = again.deaths
            await asyncio.sleep(again.delay_seconds)
            record = self._start()

    def _start(self) -> Record | None:
        try:
            logfile.rotate(self._log)
            with self._log.open("ab") as output:
                self._child = subprocess.Popen(  # noqa: S603
                    self._command,
                    stdin=subprocess.PIPE if self._bind_life else subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            pid = pid_of(self._child.pid) or Pid(self._child.pid, "ended at once")
            record = Record(pid, self._command)
            write_atomically(self._file, msgspec.json.encode(record))
        except OSError as error:
            log.exception("companion.not_started", name=self._name, error=str(error))
            return None
        return record

    def _reap(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            if child.stdin is not None:
                child.stdin.close()
            child.wait()


async def end_companions(instance: Instance) -> None:
    """End those of an instance whose owner is gone."""
    for path in instance.folder.glob(f"*{_SUFFIX}"):
        await _end(_read(path))
        path.unlink(missing_ok=True)


_SUFFIX = ".companion"


def _file(instance: Instance, name: str) -> Path:
    return instance.folder / f"{name}{_SUFFIX}"


def _read(path: Path) -> Record | None:
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode(path.read_bytes(), type=Record)
    return None


async def _end(record: Record | None) -> None:
    if record is None or not send(record.pid, signal.SIGTERM):
        return
    try:
        async with asyncio.timeout(TERMINATE_SECONDS):
            await exited(record.pid)
    except TimeoutError:
        send(record.pid, signal.SIGKILL)
        await exited(record.pid)
