"""What a peer's traffic distribution fixtures come to in a real Envoy, by its own dump."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import msgspec
import pytest

from live.serving import Place, serving
from peer.test_kgateway_cases import CASES, CHECKER, CLIENT, SURROUNDINGS

pytestmark = pytest.mark.live

FIXTURES = sorted(CASES.glob("trafficdist-*")) if CHECKER.is_file() else []


@pytest.mark.skipif(not FIXTURES, reason=f"no peer's cases in {CASES}")
@pytest.mark.parametrize("folder", FIXTURES, ids=lambda folder: folder.name)
async def test_a_fixture_holds_in_what_envoy_dumps(tmp_path: Path, folder: Path) -> None:
    place = Place()
    files = {"input.yaml": (folder / "input.yaml").read_text(), "more.yaml": NODES}
    settings = msgspec.structs.replace(CLIENT, bind=place.gateway)
    async with serving(tmp_path, files, (), place, settings) as served:
        fleet = served.instance.fleet
        assert fleet is not None
        [admin] = [each.admin for each in fleet.statuses() if each.gateway.startswith("gwtest/")]
        url = f"http://{admin}/config_dump?include_eds"
        dump = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=5).read())
    (tmp_path / "dump.json").write_bytes(dump)
    (tmp_path / "status.json").write_text("[]")

    told = verdicts(folder, tmp_path)

    assert told
    assert all(each["verdict"] == "PASS" for each in told), told


NODES = SURROUNDINGS.read_text()


def verdicts(folder: Path, made: Path) -> list[dict[str, Any]]:
    """What the checker says of everything it is asked, beyond the peer's own reach too."""
    case, dump, status = folder / "case.json", made / "dump.json", made / "status.json"
    asked = ["--case", str(case), "--config-dump", str(dump), "--status", str(status), "--json"]
    done = subprocess.run(
        [sys.executable, str(CHECKER), *asked],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)["results"]
    return [each for each in found if each["group"].endswith("_expectations")]
