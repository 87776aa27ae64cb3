"""`python -m serai.echo [MODE://]ADDRESS:PORT[/[NAMESPACE/]NAME]...`: echo servers."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from serai.echo.endpoint import EchoEndpoint, parse_endpoint
from serai.echo.process import READY
from serai.echo.server import echo
from serai.echo.tls import Tls


def main() -> int:
    """Listen, say so in one line, and stay; 1 if an address cannot be had."""
    arguments = _parser().parse_args()
    try:
        asyncio.run(_serve(arguments.endpoint, _tls(arguments), bound=arguments.bound))
    except (OSError, ValueError) as error:
        print(getattr(error, "strerror", None) or error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serai.echo",
        description="Servers that answer every request with what arrived and who answered.",
    )
    parser.add_argument(
        "endpoint",
        nargs="+",
        type=_endpoint,
        help="[MODE://]ADDRESS:PORT[/[NAMESPACE/]NAME]; port 0 takes a free one;"
        " MODE is http, h2c, https, tcp, tls or udp",
    )
    parser.add_argument("--bound", action="store_true", help="end when standard input ends")
    parser.add_argument("--certificate", type=Path, help="what https and tls present, in PEM")
    parser.add_argument("--key", type=Path, help="its key")
    parser.add_argument("--client-ca", type=Path, help="ask for client certificates by these")
    return parser


def _tls(arguments: argparse.Namespace) -> Tls | None:
    if arguments.certificate is None:
        return None
    return Tls(arguments.certificate, arguments.key or arguments.certificate, arguments.client_ca)


def _endpoint(text: str) -> EchoEndpoint:
    try:
        return parse_endpoint(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


async def _serve(endpoints: list[EchoEndpoint], tls: Tls | None, *, bound: bool) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    if bound:
        loop.add_reader(0, lambda: None if os.read(0, 4096) else ended.set())
    async with echo(endpoints, tls=tls) as real:
        print(READY, *real, flush=True)  # noqa: T201
        await ended.wait()


if __name__ == "__main__":
    sys.exit(main())
