"""An instance with echo servers behind it, and one step after another done with it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from serai.api.problem import Problem
from serai.app.client.http import send
from serai.app.client.request import Asked, ask_often, entry, http_request
from serai.app.demo.authority import Authority
from serai.app.demo.facts import (
    NONE,
    Facts,
    echoed,
    endpoint_facts,
    expected_facts,
    facts,
    of_unresolved,
    problem_facts,
    stream_facts,
)
from serai.app.demo.load import Meanwhile, Requests
from serai.app.demo.stand_ins import StandIns
from serai.app.demo.steps import Edit, Load, Server, Step
from serai.app.demo.stream import say
from serai.app.standalone import Change, Standalone
from serai.model.hosts import ranked
from serai.trace.resolve import Unresolved
from serai.trace.view import View
from serai.views.endpoints import EndpointRow, endpoint_rows
from serai.views.problems import problem_rows
from serai.views.row import object_name
from serai.web.enter import WayIn, way_in

READY_SECONDS = 20.0
ARRIVAL_SECONDS = 10.0
_PAUSE_SECONDS = 0.01
_ANSWERED_BY = "answered by"


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a step."""

    expected: Facts
    got: Facts
    """By the same names."""
    arrived_ms: float | None = None
    """From writing a change until the last answer from before it, or the first from each new
    endpoint, whichever came later."""
    meanwhile: Meanwhile | None = None
    """The requests that went on beside it, if the demo has such."""

    @property
    def passed(self) -> bool:
        """Whether all is as expected."""
        return self.expected == self.got and not (self.meanwhile and self.meanwhile.failed)


class Props(msgspec.Struct, frozen=True):
    """What a script wants to have around."""

    servers: tuple[Server, ...] = ()
    load: Load | None = None
    authority: Authority | None = None
    stranger: Authority | None = None


class Stage:
    """Plays steps; while it is entered, echo servers stand for all endpoints on loopback."""

    def __init__(self, instance: Standalone, folder: Path, props: Props | None = None) -> None:
        """`instance` runs, `folder` is what it serves."""
        props = props or Props()
        self.instance = instance
        self._folder = folder
        self._props = props
        self._stand_ins = StandIns(props.authority, props.stranger)
        self._standing_in: asyncio.Task[None] | None = None
        self._load = Requests(props.load, self._way) if props.load else None
        self._open = contextlib.AsyncExitStack()
        instance.on_change = self._follow

    @property
    def echoes(self) -> int:
        """How many endpoints have an echo server in their place."""
        return len(self._stand_ins.running)

    async def __aenter__(self) -> Self:
        """Returns when all Envoys are ready, or after READY_SECONDS."""
        await self._open.enter_async_context(self._stand_ins)
        for server in self._props.servers:
            await self._stand_ins.become(server)
        await self._stand_in()
        if self.instance.fleet is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.instance.fleet.wait_ready(), READY_SECONDS)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends the requests and the echo servers."""
        if self._standing_in is not None:
            await self._standing_in
        await self._open.__aexit__(kind, error, traceback)

    async def play(self, step: Step) -> Played:
        """Do what a step says, and find what came of it."""
        played = await self._play(step)
        if self._load is None:
            return played
        return msgspec.structs.replace(played, meanwhile=self._load.take())

    async def go_on_asking(self) -> None:
        """Begin with the requests that go on during all further steps, if there are such."""
        if self._load is not None:
            await self._open.enter_async_context(self._load.going_on())

    async def _play(self, step: Step) -> Played:
        expected = expected_facts(step)
        began = time.monotonic()
        for server in step.servers:
            await self._stand_ins.become(server)
        self._change(step.change)
        arrived = await self._arrival(step, expected, began) if step.arrives else None
        got = await self._find(step)
        while step.takes_time and _only(expected, got) != expected and _has_time(began):
            await asyncio.sleep(_PAUSE_SECONDS)
            got = await self._find(step)
        return Played(expected=expected, got=_only(expected, got), arrived_ms=arrived)

    def _change(self, edits: tuple[Edit, ...]) -> None:
        """Edits to one file are written at once."""
        for name in dict.fromkeys(edit.file for edit in edits):
            path = self._folder / name
            text = path.read_text(encoding="utf-8")
            for edit in edits:
                text = edit.apply(text) if edit.file == name else text
            path.write_text(text, encoding="utf-8")

    async def _find(self, step: Step) -> Facts:
        found: Facts = {}
        if step.problems is not None:
            rows = problem_rows(self.instance.problems())
            found |= problem_facts(step.problems, rows, self._folder)
        if step.endpoints:
            listed = await self.instance.read(endpoint_rows, health=True)
            found |= endpoint_facts(self._of_host(listed, step.endpoints))
        if step.get:
            way = self._way(_asked(step))
            if isinstance(way, Unresolved):
                return found | of_unresolved(way)
            if step.get.startswith("tcp:"):
                said = [await say(entry(way), ARRIVAL_SECONDS) for _ in range(step.times)]
                return found | stream_facts(way, said)
            found |= facts(await ask_often(_asked(step), way, step.times))
        return found

    def _of_host(self, rows: Iterable[EndpointRow], host: str) -> Iterator[EndpointRow]:
        """The endpoints of a host, as the first service has them that is asked for it."""
        catalog = self.instance.core.pipeline.attached.catalog
        keys = catalog.services_by_host.row(host) or ()
        found = ranked([service for key in keys if (service := catalog.services.row(key))], "")
        names = {object_name(service.key) for service in found[:1]}
        return (row for row in rows if row.service in names)

    def _way(self, asked: Asked) -> WayIn | Unresolved:
        pipeline = self.instance.core.pipeline
        statuses = self.instance.fleet.statuses() if self.instance.fleet else ()
        logs = {status.gateway: status.access_log for status in statuses}
        return way_in(View(pipeline.attached, pipeline.translated), asked.question, logs)

    def _follow(self, _: Change) -> None:
        self._standing_in = asyncio.create_task(self._stand_in())

    async def _stand_in(self) -> None:
        """Echo servers for the endpoints that have none yet."""
        await self._stand_ins.stand_in(self.instance.core.pipeline)

    async def _arrival(self, step: Step, expected: Facts, began: float) -> float | None:
        """Ask until as many answers in a row as the step wants are as expected.

        None if that took too long.  Needs a step that says which endpoints answer.
        """
        wanted = set(filter(None, expected.get(_ANSWERED_BY, "").split(", ")))
        seen: dict[str, float] = {}
        wrong, row = 0.0, 0
        while wanted and _has_time(began):
            answered_by = await self._probe(step)
            now = time.monotonic()
            if answered_by not in wanted:
                wrong, row = now, 0
                await asyncio.sleep(_PAUSE_SECONDS / 4)
                continue
            seen.setdefault(answered_by, now)
            row += 1
            if row >= step.times and wanted == seen.keys():
                return (max(wrong, *seen.values()) - began) * 1000
        return None

    async def _probe(self, step: Step) -> str:
        """Which endpoint answers; empty if none does."""
        way = self._way(_asked(step))
        if isinstance(way, Unresolved):
            return ""
        request, _ = http_request(_asked(step), way)
        answer = await send(entry(way), request, ARRIVAL_SECONDS)
        if isinstance(answer, Problem) or answer.status >= HTTPStatus.BAD_REQUEST:
            return ""
        return str(echoed(answer.body).get("endpoint", ""))


def _asked(step: Step) -> Asked:
    return Asked(
        url=step.get,
        headers=tuple(step.headers.items()),
        as_=step.as_,
        via=step.via,
        verify=False,
        max_seconds=ARRIVAL_SECONDS,
    )


def _has_time(began: float) -> bool:
    return time.monotonic() - began < ARRIVAL_SECONDS


def _only(expected: Facts, found: Facts) -> Facts:
    """What was found of what is expected; if the requests failed, that too."""
    failure = {"failure": found["failure"]} if "failure" in found else {}
    return {name: found.get(name, NONE) for name in expected} | failure
