"""`serai demo`: an example, served by real Envoys to echo servers, and every step of it checked."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import msgspec

from serai.api.problem import Problem
from serai.app.compose import standalone
from serai.app.demo.authority import Authority
from serai.app.demo.files import Copy, Example, copied
from serai.app.demo.stage import Played, Props, Stage
from serai.app.demo.steps import Script, Step, read_script
from serai.app.standalone import Options, Standalone
from serai.envoy.event import EnvoyStatus
from serai.web.server import WebServer


class Started(msgspec.Struct, frozen=True):
    """What runs now."""

    copy: Copy
    title: str
    objects: int
    echoes: int
    """How many endpoints have an echo server in their place."""
    envoys: tuple[EnvoyStatus, ...]
    seconds: float


class Report(msgspec.Struct, frozen=True):
    """What came of one step."""

    number: int
    step: Step
    played: Played

    @property
    def passed(self) -> bool:
        """Whether all is as expected."""
        return self.played.passed


class Show(msgspec.Struct, frozen=True):
    """Who is told what happens."""

    started: Callable[[Started], None]
    """Called once, when all runs."""
    report: Callable[[Report], None]
    """Called after each step."""


async def run_demo(
    example: Example,
    show: Show,
    stay: Callable[[], Awaitable[None]] | None = None,
    web: WebServer | None = None,
) -> list[Report] | Problem:
    """Play an example's steps, then `stay` as long as that takes, with the console at `web`.

    Nothing is left running and no file is left, whatever happens.  A Problem if it can't start.
    """
    began = time.monotonic()
    with _folder() as root, copied(example, root) as copy:
        if isinstance(copy, Problem):
            return copy
        script = read_script(copy.script, example.steps)
        if isinstance(script, Problem):
            return script
        props = _props(script, root / "certificates", copy.folder)
        async with _running(copy, root / "state", web) as instance:
            if isinstance(instance, Problem):
                return instance
            async with contextlib.AsyncExitStack() as stack:
                try:
                    stage = await stack.enter_async_context(Stage(instance, copy.folder, props))
                except OSError as error:
                    return _no_stage(error)
                show.started(_started(copy, script, stage, time.monotonic() - began))
                reports = await _play(stage, script, show)
                if stay is not None:
                    await stay()
                return reports


def _props(script: Script, certificates: Path, folder: Path) -> Props:
    """What the script wants; the authority to trust is written into the folder."""
    trust = script.trust
    if trust is None:
        return Props(script.servers, script.load)
    authority = Authority("an authority for this demo", certificates)
    (folder / trust.file).write_text(authority.manifest(trust), encoding="utf-8")
    stranger = Authority("somebody else", certificates)
    return Props(script.servers, script.load, authority, stranger)


def _no_stage(error: OSError) -> Problem:
    message = f"{error.strerror or error}; without it the demo was not begun."
    return Problem("SER0813", "error", message, "End what listens there, and start it again.")


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="serai-demo-") as folder:
        # Problems name files by their real paths, and this one may be behind a link.
        yield Path(folder).resolve()


async def _play(stage: Stage, script: Script, show: Show) -> list[Report]:
    reports = []
    await stage.go_on_asking()
    for number, step in enumerate(script.steps, 1):
        reports.append(Report(number, step, await stage.play(step)))
        show.report(reports[-1])
    return reports


def _started(copy: Copy, script: Script, stage: Stage, seconds: float) -> Started:
    return Started(
        copy=copy,
        title=script.title,
        objects=stage.instance.batch.objects,
        echoes=stage.echoes,
        envoys=tuple(stage.instance.fleet.statuses()) if stage.instance.fleet else (),
        seconds=seconds,
    )


@contextlib.asynccontextmanager
async def _running(
    copy: Copy, state: Path, web: WebServer | None
) -> AsyncIterator[Standalone | Problem]:
    options = Options(drain_seconds=1, bind_life=True)
    instance, problems = standalone([copy.folder], copy.settings, options, state)
    if instance is None:
        yield next(each for each in problems if each.severity == "error")
        return
    try:
        await instance.start(web)
        following = asyncio.create_task(instance.follow())
        try:
            yield instance
        finally:
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following
    finally:
        await instance.stop(drain=False)
