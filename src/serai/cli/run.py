"""``serai run``: serve a folder of manifests on this machine."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serai.cli.options import Paths, with_settings
from serai.cli.output import Exit, talk, usage
from serai.model.settings import Settings

if TYPE_CHECKING:
    from serai.app.standalone import Options
    from serai.web.server import WebServer


@with_settings
def run(
    paths: Paths,
    *,
    settings: Settings,
    no_envoy: Annotated[
        bool, typer.Option("--no-envoy", help="Serve configuration, but start no Envoy.")
    ] = False,
    xds: Annotated[
        str,
        typer.Option(
            metavar="ADDR",
            envvar="SERAI_XDS",
            help="Serve xDS here too, for Envoys of your own; with --no-envoy it is"
            " 127.0.0.1:18000.",
        ),
    ] = "",
    admin: Annotated[
        str,
        typer.Option(metavar="ADDR", envvar="SERAI_ADMIN", help="Where the console listens."),
    ] = "127.0.0.1:9095",
    gateway: Annotated[
        list[str] | None,
        typer.Option(metavar="NS/NAME", help="Start an Envoy only for these Gateways."),
    ] = None,
    envoy_path: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="The Envoy to run; else SERAI_ENVOY, else the one that was installed with Serai.",
        ),
    ] = None,
    drain_seconds: Annotated[
        int, typer.Option(metavar="N", help="How long requests in flight have at the end.")
    ] = 15,
    bind_life: Annotated[
        bool, typer.Option("--bind-life", help="Have no Envoy outlive this process.")
    ] = False,
) -> None:
    """Serve a folder of manifests on this machine, with an Envoy for each Gateway.

    Every change of a file is applied as it is saved.  Ends, and ends the Envoys after their
    requests in flight, on Ctrl-C or SIGTERM; a second Ctrl-C does not wait.  Should it be killed,
    its Envoys go on serving, and the next run of the same paths takes them over.
    """
    from serai.app.standalone import Options  # noqa: PLC0415  loads gRPC

    options = Options(
        xds=xds or ("127.0.0.1:18000" if no_envoy else ""),
        only=frozenset(gateway or ()),
        drain_seconds=drain_seconds,
        no_envoy=no_envoy,
        envoy_path=envoy_path,
        bind_life=bind_life,
    )
    raise typer.Exit(asyncio.run(_run(paths, settings, options, admin)))


async def _run(paths: list[Path], settings: Settings, options: Options, admin: str) -> int:
    from serai.app.console import Console  # noqa: PLC0415
    from serai.app.standalone import standalone  # noqa: PLC0415
    from serai.envoy.state import state_root  # noqa: PLC0415

    instance, problems = standalone(paths, settings, options, state_root())
    for problem in problems:
        talk(f"{problem.severity}  {problem.code}  {problem.message}\n    {problem.remedy}")
    if instance is None:
        return Exit.FAILED
    console = Console(instance, talk)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    return await console.run(stopping, _web(admin))


def _web(admin: str) -> WebServer | None:
    """The console's address, or another port there if that one is taken: it is told either way."""
    from serai.web.server import WebServer  # noqa: PLC0415

    host, _, port = admin.rpartition(":")
    try:
        return WebServer(host.strip("[]"), int(port))
    except ValueError:
        usage(f"--admin: {admin!r} is not an address such as 127.0.0.1:9095")
    except OSError as error:
        talk(f"warning  the console cannot be at {admin}: {error.strerror}; it is elsewhere")
        return WebServer(host.strip("[]"), 0)
