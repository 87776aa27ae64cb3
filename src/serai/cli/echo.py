"""``serai echo``: servers in place of the workloads of some manifests."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import typer

from serai.cli.options import Paths, with_settings
from serai.cli.output import Exit, data, talk
from serai.model.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


@with_settings
def echo(paths: Paths, *, settings: Settings) -> None:
    """Stand in for the workloads of some manifests, so that requests are answered.

    Listens on every endpoint in 127.0.0.0/8 and ::1 that the manifests name, follows their
    changes, and answers with what arrived and whom it stands for.  Ends with Ctrl-C.
    """
    raise typer.Exit(asyncio.run(_run(paths, settings)))


async def _run(paths: list[Path], settings: Settings) -> int:
    from serai.app.demo.stand_ins import StandIns, follow  # noqa: PLC0415

    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with StandIns() as servers:
        following = asyncio.create_task(follow(servers, paths, settings, data))
        stopped = asyncio.create_task(stopping.wait())
        await asyncio.wait({following, stopped}, return_when=asyncio.FIRST_COMPLETED)
        following.cancel()
        stopped.cancel()
        (failure, _) = await asyncio.gather(following, stopped, return_exceptions=True)
        if isinstance(failure, OSError):
            talk(f"error: {failure.strerror or failure}")
            return Exit.FAILED
        if isinstance(failure, Exception):
            raise failure
    return 0
