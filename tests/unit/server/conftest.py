"""The server that these tests speak to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from unit.server.streams import Bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    bench.port = await bench.server.start("127.0.0.1:0")
    try:
        yield bench
    finally:
        await bench.close()
