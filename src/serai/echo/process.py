"""Echo endpoints in a process of their own, which ends with the one that started it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING

from serai.echo.endpoint import parse_endpoint

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from serai.echo.endpoint import EchoEndpoint
    from serai.echo.tls import Tls

READY = "ready"


@contextlib.asynccontextmanager
async def echo_process(
    endpoints: Iterable[EchoEndpoint], *, tls: Tls | None = None
) -> AsyncIterator[tuple[EchoEndpoint, ...]]:
    """As `echo`, in another process.  It ends with the context, or when this process dies.

    OSError with the words of the other process if it could not listen.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "serai.echo",
        "--bound",
        *_written(tls),
        *map(str, endpoints),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    if process.stdin is None or process.stdout is None:
        raise OSError("the echo process has no pipes")
    try:
        first = (await process.stdout.readline()).decode().split()
        if first[:1] != [READY]:
            _, said = await process.communicate()
            raise OSError(said.decode(errors="replace").strip() or "the echo process ended at once")
        yield tuple(parse_endpoint(each) for each in first[1:])
    finally:
        with contextlib.suppress(OSError):
            process.stdin.close()
        await process.wait()


def _written(tls: Tls | None) -> list[str]:
    if tls is None:
        return []
    found = [f"--certificate={tls.certificate}", f"--key={tls.key}"]
    return [*found, f"--client-ca={tls.client_ca}"] if tls.client_ca else found
