"""What `serai run` shows while it serves: the Gateways, every change, every new problem."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from serai.api.problem import Problem
from serai.app.standalone import Change, Standalone
from serai.envoy.event import EventKind, FleetEvent
from serai.envoy.listening import PORT_IN_USE
from serai.views.health import joined
from serai.views.listing import aligned
from serai.views.listings import GATEWAYS
from serai.views.problems import counted
from serai.web.server import WebServer

TOLD: frozenset[EventKind] = frozenset({"died", "not-started", "crash-looping", "port-taken"})
"""What is told of Envoys as it happens; and that they are ready again, after any of it."""

READY_SECONDS = 20.0
"""After this long, Envoys that are not ready are shown as they are."""


class Console:
    """Runs an instance until it is told to stop, and shows what happens."""

    def __init__(self, instance: Standalone, say: Callable[[str], None]) -> None:
        self._instance = instance
        self._say = say
        self._shown: set[Problem] = set()
        self._of_files: tuple[Problem, ...] = ()
        """What was wrong with the files themselves when problems were last shown."""
        self._down: set[str] = set()
        """Gateways of which it was told that their Envoy is not there."""
        self._looping: set[str] = set()
        """Those of which nothing more is told before their Envoy is ready."""
        instance.on_change = self._changed
        instance.on_event = self._happened
        if instance.fleet is not None:
            instance.fleet.told_elsewhere = TOLD

    async def run(self, stopping: asyncio.Event, web: WebServer | None) -> int:
        """Serve until `stopping` is set; then drain, until it is set once more."""
        began = time.monotonic()
        instance = self._instance
        try:
            await instance.start(web)
            await self._ready(stopping)
            self._welcome(time.monotonic() - began)
            await self._until(stopping)
        finally:
            stopping.clear()
            await self._end(stopping)
        return 0

    async def _ready(self, stopping: asyncio.Event) -> None:
        fleet = self._instance.fleet
        if fleet is None:
            return
        waiting = [
            asyncio.ensure_future(fleet.wait_ready()),
            asyncio.ensure_future(stopping.wait()),
        ]
        await asyncio.wait(waiting, timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()

    async def _until(self, stopping: asyncio.Event) -> None:
        following = asyncio.ensure_future(self._instance.follow())
        stopped = asyncio.ensure_future(stopping.wait())
        done, _ = await asyncio.wait({following, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if following in done:
            following.result()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    async def _end(self, stopping: asyncio.Event) -> None:
        self._say("stopping: requests in flight are finished; once more ends them")
        ending = asyncio.ensure_future(self._instance.stop())
        impatient = asyncio.ensure_future(stopping.wait())
        await asyncio.wait({ending, impatient}, return_when=asyncio.FIRST_COMPLETED)
        if not ending.done() and self._instance.fleet is not None:
            await self._instance.fleet.stop(drain=False)
        impatient.cancel()
        await ending

    def _welcome(self, seconds: float) -> None:
        state = self._instance.state()
        rows = GATEWAYS.rows(state)
        for line in aligned(GATEWAYS, rows) if rows else [GATEWAYS.nothing]:
            self._say(line)
        for name in sorted(self._instance.options.only - {row.name_in_scope for row in rows}):
            self._say(f"warning  there is no Gateway {name} of a class of ours (--gateway)")
        self._problems()
        batch = self._instance.batch
        paths = ", ".join(str(path) for path in self._instance.source.paths)
        console = f"   console http://{self._instance.admin}" if self._instance.admin else ""
        console += f"   xds {self._instance.options.xds}" if self._instance.options.xds else ""
        self._say(f"watching {paths} ({counted(batch.objects, 'object')}){console}")
        late = [each for each in state.facts.envoys if each.state != "ready"]
        names = ", ".join(f"{each.gateway} (Envoy {each.state})" for each in late)
        said = f"not ready after {seconds:.1f} s: {names}" if late else f"ready in {seconds:.1f} s"
        self._say(said)

    def _changed(self, change: Change) -> None:
        if change.first:
            return
        clock = time.strftime("%H:%M:%S")
        names = [f"changed {key}" for key in sorted(change.batch.changed)]
        names += [f"removed {key}" for key in sorted(change.batch.removed)]
        for name in names[:10]:
            self._say(f"{clock} {name}")
        if len(names) > 10:  # noqa: PLR2004  as many as a person reads
            self._say(f"{clock} and {len(names) - 10} more")
        resources = sum(len(each) for each in change.committed.resources.values())
        if names:
            proxies = counted(len(change.committed.resources), "Gateway")
            self._say(f"{clock} pushed {counted(resources, 'resource')} to {proxies}")
        if change.committed.problems or self._instance.batch.problems != self._of_files:
            self._problems()

    def _happened(self, event: FleetEvent) -> None:
        """Tell of an Envoy that died once, of a crash loop once, and of its end."""
        gateway = event.gateway
        match event.kind:
            case "ready":
                worth = gateway in self._down
                self._down.discard(gateway)
                self._looping.discard(gateway)
            case "died" | "not-started":
                worth = gateway not in self._looping
                self._down.add(gateway)
            case "crash-looping":
                worth = gateway not in self._looping
                self._looping.add(gateway)
            case "port-taken":
                worth = not self._is_shown(event)
            case _:
                worth = False
        if worth:
            words = " ".join(f"{event.message.rstrip('.')}. {event.remedy}".split())
            self._say(f"{time.strftime('%H:%M:%S')} {words}")

    def _is_shown(self, event: FleetEvent) -> bool:
        """Whether a port that is taken is told as a problem, as it is where we saw it first."""
        details = event.details
        where = joined(str(details.get("address", "")), int(details.get("port", 0)))
        taken = [each.message for each in self._shown if each.code == PORT_IN_USE]
        return any(f" {where} " in message for message in taken)

    def _problems(self) -> None:
        """Show those that are new and those that are solved; looks at all there are, in files."""
        self._of_files = self._instance.batch.problems
        problems = self._instance.problems()
        for problem in problems:
            if problem not in self._shown:
                self._say(_spoken(problem))
        for problem in sorted(self._shown - set(problems), key=str):
            self._say(f"solved  {problem.code}  {problem.place or problem.key}")
        self._shown = set(problems)


def _spoken(problem: Problem) -> str:
    where = "  ".join(str(part) for part in (problem.place, problem.key, problem.path) if part)
    lines = [f"{problem.severity}  {problem.code}  {where}", f"    {problem.message}"]
    return "\n".join([*lines, f"    {problem.remedy}"] if problem.remedy else lines)
