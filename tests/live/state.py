"""What a running instance knows, and until when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from live.serving import SECONDS, Served
from serai.views.endpoints import endpoint_rows, opinions_in_words
from serai.views.state import State


async def until_known(
    served: Served, found: Callable[[State], bool], *, health: bool = False
) -> None:
    """Until what `found` says of the state is so, of which no event tells."""
    async with asyncio.timeout(SECONDS):
        while not await served.instance.read(found, health=health):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def shown(state: State) -> dict[str, tuple[str, str]]:
    return {
        row.address.partition(":")[0]: (row.status, opinions_in_words(row.envoys))
        for row in endpoint_rows(state)
    }
