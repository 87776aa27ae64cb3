"""`python -m serai.echo ADDRESS:PORT[/[NAMESPACE/]NAME]...`: echo servers, until interrupted."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys

from serai.echo.endpoint import EchoEndpoint, parse_endpoint
from serai.echo.process import READY
from serai.echo.server import echo


def main() -> int:
    """Listen, say so in one line, and stay; 1 if an address cannot be had."""
    arguments = _parser().parse_args()
    try:
        asyncio.run(_serve(arguments.endpoint, bound=arguments.bound))
    except OSError as error:
        print(error.strerror or error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serai.echo",
        description="HTTP servers that answer every request with what arrived and who answered.",
    )
    parser.add_argument(
        "endpoint",
        nargs="+",
        type=_endpoint,
        help="[tcp://]ADDRESS:PORT[/[NAMESPACE/]NAME]; port 0 takes a free one",
    )
    parser.add_argument("--bound", action="store_true", help="end when standard input ends")
    return parser


def _endpoint(text: str) -> EchoEndpoint:
    try:
        return parse_endpoint(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


async def _serve(endpoints: list[EchoEndpoint], *, bound: bool) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    if bound:
        loop.add_reader(0, lambda: None if os.read(0, 4096) else ended.set())
    async with echo(endpoints) as real:
        print(READY, *real, flush=True)  # noqa: T201
        await ended.wait()


if __name__ == "__main__":
    sys.exit(main())
