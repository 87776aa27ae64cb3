"""Keeps one Gateway's Envoy running: starts it, watches it, starts it again, replaces it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from typing import TYPE_CHECKING

import structlog

from serai.envoy.bootstrap import admin_port
from serai.envoy.event import EnvoyStatus, EventKind, FleetEvent, State
from serai.envoy.launch import digest
from serai.envoy.loglines import Repetitions
from serai.envoy.logwatch import LogWatch
from serai.envoy.process import EnvoyProcess, start
from serai.envoy.restarts import RestartPolicy, after_death

if TYPE_CHECKING:
    from collections.abc import Iterable

    from serai.envoy.binary import EnvoyBinary
    from serai.envoy.event import Emit
    from serai.envoy.launch import Binding, GatewaySpec
    from serai.envoy.state import Instance

log = structlog.get_logger(__name__)


class Keeper:
    """One Gateway's Envoy, from `run` until `stop` or `detach`."""

    def __init__(
        self,
        gateway: str,
        spec: GatewaySpec,
        *,
        instance: Instance,
        binary: EnvoyBinary,
        bound: Binding,
        policy: RestartPolicy,
        emit: Emit,
        found: Iterable[EnvoyProcess] = (),
    ) -> None:
        """Nothing is started yet; `found` are this Gateway's Envoys that an earlier run left."""
        self.gateway = gateway
        self.is_ready = asyncio.Event()
        self._spec = spec
        self._instance = instance
        self._binary = binary
        self._bound = bound
        self._policy = policy
        self._emit = emit
        self._current: EnvoyProcess | None = None
        # These serve on until the current one is ready.
        self._former = list(found)
        self._changed = asyncio.Event()
        self._retiring: dict[asyncio.Task[None], EnvoyProcess] = {}
        self._deaths = self._restarts = 0
        self._repetitions = Repetitions()
        self._ready_at: float | None = None
        self._state: State = "starting"
        self._task: asyncio.Task[None] | None = None

    def run(self) -> None:
        """Keep an Envoy running from now on."""
        self._task = asyncio.create_task(self._keep())
        self._task.add_done_callback(_tell_failure)

    def change(self, spec: GatewaySpec) -> None:
        """Run Envoy by another specification; if it differs, by another process."""
        if spec != self._spec:
            self._spec = spec
            self.is_ready.clear()
            self._changed.set()

    def status(self) -> EnvoyStatus:
        """How it is now."""
        others = (*self._former, *self._retiring.values())
        process = self._current or next(iter(others), None)
        record = process.record if process else None
        return EnvoyStatus(
            gateway=self.gateway,
            state=self._state,
            pid=record.pid.number if record else 0,
            admin=record.admin if record else "",
            restarts=self._restarts,
            access_log=str(self._instance.files(self.gateway).access_log),
        )

    async def stop(self, *, drain: bool) -> None:
        """End its Envoys.  A second call without `drain` ends those that still drain."""
        await self._cancel()
        self._enter("draining")
        ending = self._former if self._current is None else [self._current, *self._former]
        self._current, self._former = None, []
        if not drain:
            ending += self._retiring.values()
            await self._leave_retiring()
        for process in ending:
            self._retire(process, drain=drain)
        await asyncio.gather(*self._retiring, return_exceptions=True)

    async def detach(self) -> None:
        """Let its Envoys run on without us."""
        await self._cancel()
        left = (self._current, *self._former, *self._retiring.values())
        await self._leave_retiring()
        for process in left:
            if process is not None:
                process.let_go()

    async def _leave_retiring(self) -> None:
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)

    async def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self) -> None:
        await self._adopt()
        while True:
            files = self._instance.files(self.gateway)
            watch = LogWatch(
                self.gateway, files.log, files.access_log, self._repetitions, self._emit
            )
            if self._current is None and not await self._start():
                continue
            if self._current is not None:
                await self._accompany(self._current, watch)

    async def _adopt(self) -> None:
        for found in tuple(self._former):
            draining = await found.is_draining()
            if draining or not self._fits(found):
                why = "was told to drain" if draining else "was started with other settings"
                self._tell("outdated", f"{why} and will be replaced", found)
            elif self._current is None:
                self._current = found
                self._former.remove(found)
                self._tell("adopted", "goes on; it was started by an earlier run", found)

    def _fits(self, process: EnvoyProcess) -> bool:
        return process.record.digest == digest(self._binary, self._spec, self._bound)

    async def _start(self) -> bool:
        """Start an Envoy; False, after a pause, if that failed."""
        while self._former and not self._may_overlap():
            await self._former[0].stop(self._spec.drain_seconds)
            del self._former[0]
        self._enter("crash-looping" if self._deaths >= self._policy.loop_deaths else "starting")
        try:
            self._current = start(
                self._instance, self._binary, self.gateway, self._spec, self._bound
            )
        except OSError as error:
            await self._pause("not-started", f"could not be started: {error}", None, ())
            return False
        self._tell("started", "was started", self._current)
        return True

    def _may_overlap(self) -> bool:
        # Envoy's listeners share ports (SO_REUSEPORT, its default on Linux); the admin's doesn't.
        # What waits to be accepted when the former one stops listening is reset by the kernel: in
        # ten replacements under 2,000 new connections a second 4 of 5,500.
        return sys.platform == "linux" and admin_port(self._spec.bootstrap) == 0

    async def _accompany(self, process: EnvoyProcess, watch: LogWatch) -> None:
        """Stay with a process until it has ended, or another specification makes it outdated."""
        self._ready_at = None
        ready = asyncio.create_task(process.wait_ready())
        exited = asyncio.create_task(process.exited())
        changed = asyncio.create_task(self._changed.wait())
        following = asyncio.create_task(watch.follow(process.record.pid.number))
        try:
            awaited = {ready, exited, changed}
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            if ready.done() and not exited.done():
                ready.result()
                self._on_ready(process)
                await asyncio.wait(awaited - {ready}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            tasks = (ready, changed, following, exited)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if not exited.cancelled():
            await watch.catch_up()
            await self._on_death(process, exited.result(), watch.last_lines())
        else:
            self._on_change(process)

    def _on_ready(self, process: EnvoyProcess) -> None:
        self._ready_at = time.monotonic()
        self._enter("ready")
        self._tell("ready", f"is ready, admin http://{process.record.admin}", process)
        while self._former:
            self._retire(self._former.pop(), drain=True)

    def _on_change(self, process: EnvoyProcess) -> None:
        self._changed.clear()
        self._deaths = 0
        self._current = None
        if self._fits(process):
            self._current = process
        elif self._ready_at is None:
            self._retire(process, drain=False)
        else:
            self._former.append(process)
            self._tell("outdated", "has new settings and will be replaced", process)

    async def _on_death(
        self, process: EnvoyProcess, code: int | None, lines: tuple[str, ...]
    ) -> None:
        process.forget()
        self._current = None
        self._restarts += 1
        await self._pause("died", f"ended {_how(code)}", process, lines)

    async def _pause(
        self, kind: EventKind, what: str, process: EnvoyProcess | None, lines: tuple[str, ...]
    ) -> None:
        """Tell of a death, and wait as long as the policy says, or until the settings change."""
        healthy = time.monotonic() - self._ready_at if self._ready_at is not None else 0.0
        self._ready_at = None
        restart = after_death(self._policy, self._deaths, healthy)
        self._deaths = restart.deaths
        self._enter("crash-looping" if restart.is_crash_loop else "backoff")
        again = f"it is started again in {restart.delay_seconds:g} s"
        self._tell(kind, f"{what}; {again}", process, last_lines="\n".join(lines))
        if restart.deaths == self._policy.loop_deaths:
            self._tell_crash_loop(restart.deaths, lines)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(restart.delay_seconds):
                await self._changed.wait()
                self._changed.clear()
                self._deaths = 0

    def _tell_crash_loop(self, deaths: int, lines: tuple[str, ...]) -> None:
        said = f" It said last: {lines[-1]}" if lines else ""
        path = self._instance.files(self.gateway).log
        self._emit(
            FleetEvent(
                kind="crash-looping",
                gateway=self.gateway,
                message=(
                    f"Envoy of Gateway {self.gateway} died {deaths} times in a row, so nothing is"
                    f" served there; it is tried again every {self._policy.longest_seconds:g} s"
                    f" at most.{said}"
                ),
                remedy=f"Read {path}; if a change of configuration came before, take it back.",
                details={"deaths": deaths, "log": str(path)},
            )
        )

    def _retire(self, process: EnvoyProcess, *, drain: bool) -> None:
        task = asyncio.create_task(self._end(process, drain=drain))
        self._retiring[task] = process
        task.add_done_callback(self._retiring.pop)

    async def _end(self, process: EnvoyProcess, *, drain: bool) -> None:
        if drain:
            self._tell("draining", "finishes its requests and ends", process)
        await process.stop(self._spec.drain_seconds if drain else None)
        self._tell("stopped", "has ended", process)

    def _enter(self, state: State) -> None:
        if state != self._state:
            self._state = state
        if state == "ready":
            self.is_ready.set()
        else:
            self.is_ready.clear()

    def _tell(
        self, kind: EventKind, what: str, process: EnvoyProcess | None, **details: str
    ) -> None:
        pid = process.record.pid.number if process else 0
        name = f"Envoy of Gateway {self.gateway}" + (f" (pid {pid})" if pid else "")
        self._emit(
            FleetEvent(
                kind=kind,
                gateway=self.gateway,
                pid=pid,
                message=f"{name} {what}.",
                details={name: value for name, value in details.items() if value},
            )
        )


def _how(code: int | None) -> str:
    if code is None:
        return "for an unknown reason"
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"by {signal.Signals(-code).name}"
    return f"with code {code}"


def _tell_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("envoy.keeper_failed", exc_info=error)
