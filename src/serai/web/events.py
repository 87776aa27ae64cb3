"""``/api/v1/events``: says, as server-sent events, that something has changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from serai.web.instance import Changes, Instance

QUIET_SECONDS = 15.0
"""After so long without a change a comment is sent, so that a lost connection is noticed."""


async def events(instance: Instance, _: Request) -> Response:
    """One event now and one after each change; its data is the number of changes so far."""
    return StreamingResponse(_stream(instance.changes), media_type="text/event-stream")


async def _stream(changes: Changes) -> AsyncIterator[str]:
    following = changes.follow()
    upcoming: asyncio.Task[int] | None = None
    try:
        while True:
            upcoming = upcoming or asyncio.ensure_future(anext(following))
            done, _ = await asyncio.wait({upcoming}, timeout=QUIET_SECONDS)
            if not done:
                yield ": still here\n\n"
                continue
            generation = upcoming.result()
            upcoming = None
            yield f"event: change\ndata: {generation}\n\n"
    except StopAsyncIteration:
        return
    finally:
        if upcoming is not None:
            upcoming.cancel()
