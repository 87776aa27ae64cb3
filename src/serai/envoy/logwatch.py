"""Follows one Envoy's log and tells what a person must see of it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

import structlog

from serai.envoy.event import FleetEvent
from serai.envoy.listening import port_in_use, who_listens
from serai.envoy.logfile import Tail, trim
from serai.envoy.loglines import (
    LogLine,
    Repetitions,
    TakenAddress,
    is_worth_telling,
    parse_line,
    taken_address,
)

if TYPE_CHECKING:
    from pathlib import Path

    from serai.envoy.event import Emit

log = structlog.get_logger(__name__)

READ_SECONDS = 0.25
LAST_LINES = 5
"""So many lines are shown of an Envoy that died."""


class LogWatch:
    """The log of one Envoy process, from where it is now."""

    def __init__(
        self, gateway: str, log: Path, access_log: Path, repetitions: Repetitions, emit: Emit
    ) -> None:
        """Begin before the process is started, or its first lines are missed.

        `repetitions` is what was told of the Gateway's earlier processes too.  The access log is
        only kept from growing for ever.
        """
        self._gateway = gateway
        self._access_log = access_log
        self._tail = Tail(log)
        self._emit = emit
        self._pid = 0
        self._repetitions = repetitions
        self._interesting: deque[str] = deque(maxlen=LAST_LINES)
        self._raw: deque[str] = deque(maxlen=LAST_LINES)

    async def follow(self, pid: int) -> None:
        """Tell the interesting lines of process `pid` as they come; runs until cancelled."""
        self._pid = pid
        while True:
            await self.catch_up()
            await asyncio.sleep(READ_SECONDS)

    async def catch_up(self) -> None:
        """Tell what was written since the last look."""
        try:
            trim(self._access_log)
            lines = self._tail.read()
        except OSError as error:
            log.warning("envoy.log_not_read", gateway=self._gateway, error=str(error))
            return
        for text in lines:
            line = parse_line(text)
            if line is None:
                self._raw.append(text)
            elif line.pid == self._pid and is_worth_telling(line):
                self._interesting.append(line.text)
                if self._repetitions.is_new(line, time.monotonic()):
                    await self._tell(line)

    def last_lines(self) -> tuple[str, ...]:
        """The last lines that may tell why it died; what was no log line if there is none."""
        return tuple(self._interesting or self._raw)

    async def _tell(self, line: LogLine) -> None:
        if taken := taken_address(line.text):
            await self._tell_taken(taken)
            return
        details: dict[str, str | int | float] = {"level": line.level, "component": line.component}
        self._emit(
            FleetEvent(
                kind="log",
                gateway=self._gateway,
                pid=self._pid,
                message=line.text,
                details={**details, "source": line.source},
            )
        )

    async def _tell_taken(self, taken: TakenAddress) -> None:
        holder = await asyncio.to_thread(who_listens, taken.host, taken.port)
        problem = port_in_use(taken.host, taken.port, holder, f"Gateway {self._gateway}")
        details: dict[str, str | int | float] = {"address": taken.host, "port": taken.port}
        if holder is not None and holder.pid is not None:
            details |= {"held_by_pid": holder.pid, "held_by": holder.command}
        self._emit(
            FleetEvent(
                kind="port-taken",
                gateway=self._gateway,
                pid=self._pid,
                message=problem.message,
                remedy=problem.remedy,
                details=details,
            )
        )
