"""``serai demo``: an example from beginning to end, on real Envoys, each step checked."""

from __future__ import annotations

import asyncio
import signal
import textwrap
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from serai.api.problem import shown
from serai.cli.options import ADMIN
from serai.cli.output import Exit, Format, data, structured, talk, usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from serai.api.problem import Problem
    from serai.app.demo.files import Example
    from serai.app.demo.load import Meanwhile
    from serai.app.demo.play import Report, Started
    from serai.app.demo.steps import Edit, Server, Step
    from serai.web.server import WebServer

_WIDTH = 100
_INDENT = " " * 12


def demo(
    name: Annotated[str, typer.Argument(help="An example.", show_default=True)] = "quickstart",
    *,
    every: Annotated[
        bool, typer.Option("--all", help="Every example, one after the other.")
    ] = False,
    stay: Annotated[
        bool,
        typer.Option("--stay", help="Go on serving after the last step, with a console."),
    ] = False,
    output: Annotated[
        Format | None, typer.Option("-o", "--output", help="Print what came of it in this form.")
    ] = None,
) -> None:
    """Play an example: real Envoys, servers in place of the workloads, each step checked.

    A copy of the example is served, on addresses that are free, so that it can run beside a
    `serai run`.  Ends with a line `demo: N passed, 0 failed`.
    """
    from serai.app.demo.files import examples  # noqa: PLC0415
    from serai.telemetry import logging  # noqa: PLC0415

    logging.configure("error")
    known = examples()
    if name not in known:
        usage(f"there is no example {name!r}; there are: {', '.join(known) or 'none'}")
    if every and stay:
        usage("--all and --stay exclude each other")
    wanted = [*known.values()] if every else [known[name]]
    raise typer.Exit(asyncio.run(_run(wanted, output, _web() if stay else None)))


async def _run(wanted: list[Example], output: Format | None, web: WebServer | None) -> int:
    from serai.api.problem import Problem  # noqa: PLC0415

    running, loop = asyncio.current_task(), asyncio.get_running_loop()
    if running is not None:
        # As Ctrl-C does: what was started is ended in order.
        loop.add_signal_handler(signal.SIGTERM, running.cancel)
    say = talk if output else data
    played: list[Report] = []
    try:
        for example in wanted:
            found = await _play(example, say, web)
            if isinstance(found, Problem):
                talk(f"{found.severity}  {found.code}  {found.message}\n    {found.remedy}")
                return Exit.FAILED
            played += found
    except asyncio.CancelledError:
        talk("demo: interrupted; everything it started has ended")
        return Exit.FAILED
    failed = sum(not each.passed for each in played)
    if output:
        structured([_plain(each) for each in played], output)
    say(f"demo: {len(played) - failed} passed, {failed} failed")
    return Exit.FAILED if failed else 0


async def _play(
    example: Example, say: Callable[[str], None], web: WebServer | None
) -> list[Report] | Problem:
    from serai.app.demo.play import Show, run_demo  # noqa: PLC0415

    show = Show(lambda started: say(_started(example, started)), lambda each: say(_report(each)))
    return await run_demo(example, show, partial(_stay, web.address) if web else None, web)


def _web() -> WebServer:
    from serai.web.server import WebServer  # noqa: PLC0415

    host, _, port = ADMIN.rpartition(":")
    try:
        return WebServer(host, int(port))
    except OSError:
        return WebServer(host, 0)


async def _stay(admin: str) -> None:
    talk(f"everything goes on being served, until Ctrl-C; console http://{admin}")
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await stopping.wait()


def _started(example: Example, started: Started) -> str:
    envoys = " and ".join(each.gateway for each in started.envoys)
    ready = f"ready in {started.seconds:.1f} s"
    lines = [
        f"{example.name}: {started.title}",
        f"serving {started.copy.folder}, a copy of {example.folder} ({started.objects} objects)",
        f"Envoys for {envoys}, {started.echoes} echo servers for the workloads, {ready}",
    ]
    if started.copy.taken:
        lines += [f"note: {each}" for each in started.copy.taken]
        lines.append(
            f"      so other addresses are used: 127.0.0.1 is {started.copy.settings.bind}"
        )
    return "\n".join([*lines, ""])


def _report(report: Report) -> str:
    step, played = report.step, report.played
    verdict = "ok" if report.passed else "FAILED"
    lines = [f"{report.number:3}  {verdict:7}{step.step}"]
    lines += [_INDENT + each for each in _done(step)]
    lines += _facts("expected", played.expected) + _facts("got", played.got)
    if played.arrived_ms is not None:
        lines.append(f"{_INDENT}arrived   {played.arrived_ms:.0f} ms after the file was written")
    if played.meanwhile is not None:
        lines.append(f"{_INDENT}meanwhile {_meanwhile(played.meanwhile)}")
    return "\n".join(lines)


def _meanwhile(found: Meanwhile) -> str:
    first = f": {found.first}" if found.first else ""
    return f"{found.requests} requests, {found.failed} failed{first}"


def _done(step: Step) -> list[str]:
    """What was done, as a person would do it."""
    done = [f"server    {_server(each)}" for each in step.servers]
    done += [f"edit      {edit.file}: {_edit(edit)}" for edit in step.change]
    if step.endpoints:
        done.append(f"look      serai get endpoints, those of {step.endpoints}")
    if step.get:
        options = [f"--as {step.as_}"] if step.as_ else []
        options += [f"--via {step.via}"] if step.via else []
        headers = (f"{name}: {value}" for name, value in step.headers.items())
        options += [f"-H {shown(each)!r}" for each in headers]
        times = f"   ({step.times} times)" if step.times > 1 else ""
        done.append(" ".join(["request  ", step.get, *options]) + times)
    return done


def _server(server: Server) -> str:
    """What becomes of a server."""
    words = {
        "well": "is well",
        "failing": "fails its health checks, and answers all else",
        "useless": "answers its health checks, and all else with 503",
        "gone": "is gone",
    }
    said = [words[server.becomes]]
    if server.shows:
        by = "" if server.trusted else ", signed by somebody else"
        said.append(f"its certificate is for {', '.join(server.shows)}{by}")
    return f"{server.at} {', '.join(said)}"


def _edit(edit: Edit) -> str:
    if edit.remove:
        return f"remove {edit.remove!r}"
    if edit.add:
        return f"add {_short(edit.add)}"
    return f"{_short(edit.replace)} becomes {_short(edit.by)}"


def _facts(name: str, facts: dict[str, str]) -> list[str]:
    text = " · ".join(f"{key} {value}" for key, value in facts.items())
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=f"{_INDENT}{name:10}",
        subsequent_indent=_INDENT + " " * 10,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _short(text: str) -> str:
    return repr(" ".join(text.split()))


def _plain(report: Report) -> dict[str, Any]:
    played = report.played
    return {
        "number": report.number,
        "step": report.step.step,
        "passed": report.passed,
        "expected": played.expected,
        "got": played.got,
        "arrivedMilliseconds": played.arrived_ms,
        "meanwhile": msgspec.to_builtins(played.meanwhile),
    }
