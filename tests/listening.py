"""Servers of a test, of which nothing is left when it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def listening(
    serve: Serve, address: str, port: int = 0, **options: Any
) -> AsyncIterator[asyncio.Server]:
    """Listens while the block runs, at a port or a Unix socket; whoever is served then is cut off.

    A connection that is left open is told by Python when it comes upon it, which may be in any
    other test.
    """
    served: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await serve(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(answer(reader, writer))
        served.add(task)
        task.add_done_callback(served.discard)

    if port or ("/" not in address and not address.startswith("\0")):
        server = await asyncio.start_server(accept, address, port, **options)
    else:
        server = await asyncio.start_unix_server(accept, address, **options)
    try:
        yield server
    finally:
        server.close()
        left = tuple(served)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await server.wait_closed()
