"""``serai stop``: end what an instance that died has left."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from serai.cli.output import Exit, data, talk


def stop(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH]...", help="Only what served these paths; else all."),
    ] = None,
    *,
    now: Annotated[bool, typer.Option("--now", help="Do not wait for requests in flight.")] = False,
) -> None:
    """End the Envoys left by instances that died.

    An instance that still runs is left alone, and told with its pid.
    """
    from serai.envoy.leftovers import DRAIN_SECONDS, stop_leftovers  # noqa: PLC0415
    from serai.envoy.state import instance_name, state_root  # noqa: PLC0415

    only = instance_name(paths) if paths else None
    drain = None if now else DRAIN_SECONDS
    left = asyncio.run(stop_leftovers(state_root(), only, drain_seconds=drain))
    for envoy in left.ended:
        data(f"ended Envoy {envoy.pid} of Gateway {envoy.gateway or 'unknown'}")
    for problem in left.problems:
        talk(f"{problem.message}\n    {problem.remedy}")
    if not left.ended and not left.problems:
        talk(f"nothing was left under {state_root()}")
    if left.problems:
        raise typer.Exit(Exit.FAILED)
