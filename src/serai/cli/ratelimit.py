"""``serai ratelimit``: count requests for Envoys that share a limit."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from serai.cli.controller import Kubeconfig
from serai.cli.output import Exit, talk, usage
from serai.cli.run import LogFormat, LogLevel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from serai.ratelimit.config import Found
    from serai.ratelimit.run import Options

LimitPaths = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[PATH]...",
        help="Files with limits, or folders of such files: YAML.",
        exists=True,
        show_default=False,
    ),
]
InCluster = Annotated[
    bool,
    typer.Option(
        "--cluster",
        help="Read the limits of a Kubernetes cluster: its ConfigMaps with the label"
        " serai.dev/rate-limits: true.",
    ),
]
Listen = Annotated[
    str,
    typer.Option(
        metavar="ADDR",
        envvar="SERAI_RATELIMIT_LISTEN",
        help="Where Envoys ask: HOST:PORT, or unix:/PATH.",
    ),
]
AdminAt = Annotated[
    str,
    typer.Option(
        metavar="ADDR",
        envvar="SERAI_RATELIMIT_ADMIN",
        help="Where /healthz, /readyz and /metrics are; else nowhere.",
    ),
]
Redis = Annotated[
    str,
    typer.Option(
        metavar="URL",
        envvar="SERAI_RATELIMIT_REDIS",
        help="Count in this Redis, which several may share: redis://HOST:PORT; else in memory.",
    ),
]
WindowKind = Annotated[
    Literal["fixed", "sliding", "moving"],
    typer.Option(
        envvar="SERAI_RATELIMIT_WINDOW",
        help="fixed windows, or no more than the limit in any window (moving), or nearly (sliding)",
    ),
]
Headers = Annotated[
    bool, typer.Option("--headers", help="Tell clients of their limit: ratelimit-..., retry-after.")
]
Bound = Annotated[bool, typer.Option("--bound", hidden=True, help="End when standard input ends.")]


def ratelimit(
    paths: LimitPaths = None,
    *,
    cluster: InCluster = False,
    kubeconfig: Kubeconfig = None,
    listen: Listen = "127.0.0.1:8081",
    admin: AdminAt = "",
    redis: Redis = "",
    window: WindowKind = "fixed",
    headers: Headers = False,
    bound: Bound = False,
    log_level: LogLevel = "info",
    log_format: LogFormat = "auto",
) -> None:
    """Count requests for Envoys that share a limit.

    Answers Envoy's rate limit filters (envoy.service.ratelimit.v3) by the limits in some files, or
    in a cluster, which are watched.  `serai run` starts it where a policy needs it.  Ends with
    Ctrl-C or SIGTERM.
    """
    from serai.ratelimit.run import Options  # noqa: PLC0415  loads gRPC
    from serai.telemetry.logging import configure  # noqa: PLC0415

    try:
        configure(log_level, log_format)
    except ValueError as error:
        usage(f"--log-level: {error}")
    if bool(paths) == (cluster or bool(kubeconfig)):
        usage("either PATHs with limits are needed, or --cluster")
    options = Options(listen=listen, admin=admin, redis=redis, window=window, headers=headers)
    raise typer.Exit(asyncio.run(_run(options, paths or [], kubeconfig, bound=bound)))


async def _limits(paths: list[Path], kubeconfig: Path | None) -> AsyncIterator[Found]:
    """Where limits come from.  Raises OSError if that cannot be reached."""
    if paths:
        from serai.ratelimit.config import changes  # noqa: PLC0415

        return changes(paths)
    from serai.app.cluster_limits import ClusterLimits  # noqa: PLC0415
    from serai.kube.access import ApiError, connect  # noqa: PLC0415

    try:
        return ClusterLimits(await connect(kubeconfig)).follow()
    except ApiError as error:
        raise OSError(str(error)) from error


async def _run(options: Options, paths: list[Path], kubeconfig: Path | None, *, bound: bool) -> int:
    import os  # noqa: PLC0415

    from serai.ratelimit.run import Service  # noqa: PLC0415

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    if bound:
        loop.add_reader(0, lambda: None if os.read(0, 4096) else stopping.set())
    try:
        async with Service(options, await _limits(paths, kubeconfig)).serving():
            await stopping.wait()
    except (OSError, ValueError) as error:
        talk(f"error  {error}")
        return Exit.FAILED
    return 0
