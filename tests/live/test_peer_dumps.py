"""What a peer's fixtures come to in a real Envoy, by its own dump."""

from __future__ import annotations

import asyncio
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest

from live.serving import Place, Served, serving
from peer.kgateway import (
    CASES,
    CHECKER,
    CLIENT,
    NOT_YET,
    SEMANTIC,
    SURROUNDINGS,
    gateway_of,
    inputs_of,
    statuses,
    verdicts,
)

pytestmark = pytest.mark.live

FIXTURES = [path.parent for path in sorted(CASES.glob("*/case.json"))] if CHECKER.is_file() else []
SECONDS = 10.0


@pytest.mark.skipif(not FIXTURES, reason=f"no peer's cases in {CASES}")
@pytest.mark.parametrize("folder", FIXTURES, ids=lambda folder: folder.name)
async def test_a_fixture_holds_in_what_envoy_dumps(tmp_path: Path, folder: Path) -> None:
    place = Place()
    with TemporaryDirectory() as scratch:
        written = (SURROUNDINGS, *inputs_of(folder, Path(scratch)))
        files = {path.name: path.read_text() for path in written}
    settings = msgspec.structs.replace(CLIENT, bind=place.gateway)
    async with serving(tmp_path, files, (), place, settings) as served:
        wrong = await _wrong(served, folder, tmp_path)
        try:
            async with asyncio.timeout(SECONDS):
                while wrong:  # what Envoy resolves or fetches on its own takes a moment
                    await asyncio.sleep(0.2)
                    wrong = await _wrong(served, folder, tmp_path)
        except TimeoutError:
            raise AssertionError(wrong) from None


async def _wrong(served: Served, folder: Path, scratch: Path) -> list[dict[str, Any]]:
    """The expectations that do not hold, but for those of parts that are still to come."""
    instance = served.instance
    pipeline = instance.core.pipeline
    gateway = gateway_of(pipeline, instance.batch.places, folder)
    dump = await _dumped(served, f"{gateway.namespace}/{gateway.name}")
    told = verdicts(folder, scratch, dump, statuses(pipeline))
    assert told
    later = NOT_YET.get(folder.name, {})
    expected = [each for each in told if each["group"] != SEMANTIC or each["index"] not in later]
    return [each for each in expected if each["verdict"] != "PASS"]


async def _dumped(served: Served, gateway: str) -> str:
    fleet = served.instance.fleet
    assert fleet is not None
    [admin] = [each.admin for each in fleet.statuses() if each.gateway == gateway]
    url = f"http://{admin}/config_dump?include_eds"
    body = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=5).read())
    assert isinstance(body, bytes)
    return body.decode()
