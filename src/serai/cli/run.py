"""``serai run``: serve a folder of manifests on this machine."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from serai.cli.options import ADMIN, Paths, with_settings
from serai.cli.output import Exit, talk, usage
from serai.model.settings import Settings

if TYPE_CHECKING:
    from serai.app.standalone import Options
    from serai.web.server import WebServer


NoEnvoy = Annotated[
    bool, typer.Option("--no-envoy", help="Serve configuration, but start no Envoy.")
]
Xds = Annotated[
    str,
    typer.Option(
        metavar="ADDR",
        envvar="SERAI_XDS",
        help="Serve xDS here too, for Envoys of your own; with --no-envoy it is 127.0.0.1:18000.",
    ),
]
Console = Annotated[
    str,
    typer.Option(
        "--admin", metavar="ADDR", envvar="SERAI_ADMIN", help="Where the console listens."
    ),
]
LogLevel = Annotated[
    str,
    typer.Option(
        metavar="LEVEL",
        envvar="SERAI_LOG_LEVEL",
        help="debug, info, warning or error; info,xds=debug for some scopes.",
    ),
]
LogFormat = Annotated[
    Literal["auto", "console", "json"],
    typer.Option(envvar="SERAI_LOG_FORMAT", help="Lines for a person, or JSON."),
]
Gateways = Annotated[
    list[str] | None,
    typer.Option(metavar="NS/NAME", help="Start an Envoy only for these Gateways."),
]
EnvoyPath = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="The Envoy to run; else SERAI_ENVOY, else the one that was installed with Serai.",
    ),
]
DrainSeconds = Annotated[
    int, typer.Option(metavar="N", help="How long requests in flight have at the end.", min=0)
]
BindLife = Annotated[bool, typer.Option("--bind-life", help="Have no Envoy outlive this process.")]


@with_settings
def run(
    paths: Paths,
    *,
    settings: Settings,
    no_envoy: NoEnvoy = False,
    xds: Xds = "",
    admin: Console = ADMIN,
    gateway: Gateways = None,
    envoy_path: EnvoyPath = None,
    drain_seconds: DrainSeconds = 15,
    bind_life: BindLife = False,
    log_level: LogLevel = "warning",
    log_format: LogFormat = "auto",
) -> None:
    """Serve a folder of manifests on this machine, with an Envoy for each Gateway.

    Every change of a file is applied as it is saved.  Ends, and ends the Envoys after their
    requests in flight, on Ctrl-C or SIGTERM; a second Ctrl-C does not wait.  Should it be killed,
    its Envoys go on serving, and the next run of the same paths takes them over.
    """
    from serai.app.standalone import Options  # noqa: PLC0415  loads gRPC
    from serai.telemetry.logging import configure  # noqa: PLC0415

    try:
        configure(log_level, log_format)
    except ValueError as error:
        usage(f"--log-level: {error}")

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
    import msgspec  # noqa: PLC0415

    from serai.app.compose import standalone  # noqa: PLC0415
    from serai.app.console import Console  # noqa: PLC0415
    from serai.envoy.state import state_root  # noqa: PLC0415
    from serai.server.ads import ListenError  # noqa: PLC0415

    port = admin.rpartition(":")[2]
    closed = (int(port),) if port.isdecimal() else ()
    settings = msgspec.structs.replace(settings, own_ports=closed)
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
    try:
        return await console.run(stopping, _web(admin))
    except ListenError as error:
        talk(f"error  {error}\n    Name another address with --xds, or end what listens there.")
        return Exit.FAILED


def _web(admin: str) -> WebServer | None:
    """The console's address, or another port there if that one is taken: it is told either way."""
    from serai.web.server import WebServer  # noqa: PLC0415

    host, _, port = admin.rpartition(":")
    try:
        return WebServer(host.strip("[]"), int(port))
    except ValueError:
        usage(f"--admin: {admin!r} is not an address such as {ADMIN}")
    except OSError as error:
        talk(f"warning  the console cannot be at {admin}: {error.strerror}; it is elsewhere")
        return WebServer(host.strip("[]"), 0)
