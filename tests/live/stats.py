"""What Envoy counts, by its admin interface."""

from __future__ import annotations

from pathlib import Path

from live.envoys import admin_address
from live.serving import SECONDS, answer
from serai.app.client.http import Entry, HttpRequest, send


async def stats(tmp_path: Path, *words: str) -> int:
    """The sum of all statistics that have these words in their names."""
    lines = (each.partition(": ") for each in await _lines(tmp_path, "/stats"))
    return sum(int(value) for name, _, value in lines if all(word in name for word in words))


async def prometheus(tmp_path: Path) -> list[str]:
    """The samples of all metrics, as Prometheus reads them."""
    return await _lines(tmp_path, "/stats/prometheus")


async def _lines(tmp_path: Path, path: str) -> list[str]:
    host, _, port = admin_address(tmp_path / "state").rpartition(":")
    asked = HttpRequest(target=path, headers=(("host", "x"),))
    found = answer(await send(Entry(connect=(host, int(port))), asked, SECONDS))
    return found.body.decode().splitlines()
