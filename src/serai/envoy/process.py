"""One Envoy process: started or adopted, waited for, drained, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING

import msgspec
import structlog

from serai.envoy import launch
from serai.envoy.admin import Admin, AdminError
from serai.envoy.pid import command_of, exited, pid_of, send
from serai.envoy.state import EnvoyFiles, EnvoyRecord, Instance, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from serai.envoy.binary import EnvoyBinary
    from serai.envoy.launch import Binding, GatewaySpec, Launched

log = structlog.get_logger(__name__)

TERMINATE_SECONDS = 5.0
"""How long Envoy has to end after SIGTERM, before SIGKILL; it takes some ten milliseconds."""

FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS = 0.02, 0.5
BUSY_POLL_SECONDS = 0.1


class EnvoyProcess:
    """A running Envoy with its record on disk."""

    def __init__(
        self, instance: Instance, record: EnvoyRecord, launched: Launched | None = None
    ) -> None:
        """`launched` is None for one that another process started."""
        self.record = record
        self._instance = instance
        self._launched = launched

    @property
    def files(self) -> EnvoyFiles:
        """Where its files are."""
        return self._instance.files(self.record.gateway, self.record.token)

    async def wait_ready(self) -> None:
        """Return when Envoy is LIVE; for one that never is, never: race it with `exited`."""
        pause = FIRST_POLL_SECONDS
        while not await self._is_ready():
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_POLL_SECONDS)

    async def exited(self) -> int | None:
        """Wait for its end.  The exit code, negative for a signal; None if it is not our child."""
        await exited(self.record.pid)
        return None if self._launched is None else self._launched.exit_code()

    async def is_draining(self) -> bool:
        """Whether it was told to drain, so that it is of no use any more."""
        try:
            async with Admin(self.record.admin) as admin:
                return (await admin.server_info()).get("state") == "DRAINING"
        except AdminError:
            return False

    async def stop(self, drain_seconds: float | None) -> None:
        """End it, at most `drain_seconds` after it stopped listening (None: without draining)."""
        ending = asyncio.ensure_future(self.exited())
        try:
            if drain_seconds is not None:
                with contextlib.suppress(TimeoutError, AdminError):
                    async with asyncio.timeout(drain_seconds):
                        await self._drained(ending)
            if not ending.done() and send(self.record.pid, signal.SIGTERM):
                await asyncio.wait([ending], timeout=TERMINATE_SECONDS)
            if not ending.done():
                send(self.record.pid, signal.SIGKILL)
            await ending
        finally:
            ending.cancel()
        self._instance.forget(self.record.token)

    def let_go(self) -> None:
        """Have it run on without us, to be adopted by another process."""
        if self._launched is not None:
            self._launched.let_go()

    def forget(self) -> None:
        """Remove the files of one that has ended."""
        self._instance.forget(self.record.token)

    async def _is_ready(self) -> bool:
        if not self.record.admin:
            address = _read(self.files.admin)
            if not address:
                return False
            self.record = msgspec.structs.replace(self.record, admin=address)
            try:
                self._instance.write(self.record)
            except OSError as error:
                log.warning(
                    "envoy.record_not_written", pid=self.record.pid.number, error=str(error)
                )
        try:
            async with Admin(self.record.admin) as admin:
                return await admin.is_ready()
        except AdminError:
            return False

    async def _drained(self, ending: asyncio.Future[int | None]) -> None:
        """Return when no request is in flight any more, or Envoy has ended."""
        address = self.record.admin or _read(self.files.admin)
        if not address:
            return
        async with Admin(address) as admin:
            # In this order, so that a client that is told to close its connection doesn't come
            # back here, where another Envoy has taken over.
            await admin.stop_listening()
            await admin.fail_health_checks()
            # Two quiet looks, as a connection accepted just now may not have been read yet.
            quiet = 0
            while quiet < 2 and not ending.done():  # noqa: PLR2004
                await asyncio.wait([ending], timeout=BUSY_POLL_SECONDS)
                quiet = 0 if await admin.busy() else quiet + 1


def start(
    instance: Instance, binary: EnvoyBinary, gateway: str, spec: GatewaySpec, bound: Binding
) -> EnvoyProcess:
    """Start an Envoy and put it on record.  OSError if that can't be done."""
    files = instance.files(gateway)
    write_atomically(files.bootstrap, spec.bootstrap)
    command = launch.envoy_command(binary, spec, files)
    try:
        launched = launch.launch(command, files.log, files.access_log, bound)
    except OSError:
        files.bootstrap.unlink(missing_ok=True)
        raise
    record = EnvoyRecord(
        token=files.record.stem,
        gateway=gateway,
        pid=launched.pid,
        command=command,
        digest=launch.digest(binary, spec, bound),
        log=str(files.log),
    )
    try:
        instance.write(record)
    except OSError:
        # Without a record it would be lost to the next run.
        launched.child.kill()
        launched.exit_code()
        raise
    return EnvoyProcess(instance, record, launched)


def is_alive(instance: Instance, record: EnvoyRecord) -> bool:
    """Whether the Envoy of a record runs still: number, start and command must match."""
    if pid_of(record.pid.number) != record.pid:
        return False
    return str(instance.files(record.gateway, record.token).bootstrap) in command_of(
        record.pid.number
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
