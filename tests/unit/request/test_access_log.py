from __future__ import annotations

import asyncio
import json
from pathlib import Path

from serai.app.client.access_log import AccessLog
from serai.app.client.request import shown_route


def line(**fields: str | int | None) -> str:
    return json.dumps(fields) + "\n"


async def test_a_line_is_found_by_its_id_or_by_the_connection(tmp_path: Path) -> None:
    path = tmp_path / "edge.access.log"
    path.write_text(line(request_id="a", route_name="old"))
    log = AccessLog(path)
    with path.open("a") as file:
        file.write("not JSON\n" + line(request_id="b", upstream_host="127.0.0.9:9443"))
        file.write(line(request_id="another", downstream_remote_address="127.0.0.1:5"))

    by_id = await log.line_of("b", "127.0.0.1:4", 0)
    by_client = await log.line_of("c", "127.0.0.1:5", 0)

    assert by_id is not None and by_id.upstream_host == "127.0.0.9:9443"
    assert by_client is not None and by_client.request_id == "another"
    assert await log.line_of("a", "127.0.0.1:6", 0) is None, "it was written before"


async def test_it_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "edge.access.log"
    log = AccessLog(path)
    finding = asyncio.create_task(log.line_of("a", "", 5))
    await asyncio.sleep(0.03)
    path.write_text(line(request_id="a", upstream_host="::1")[:10])
    await asyncio.sleep(0.03)
    path.write_text(line(request_id="a", upstream_host="::1"))

    found = await finding

    assert found is not None and found.upstream_host == "::1"


async def test_there_may_be_no_log() -> None:
    assert await AccessLog(None).line_of("a", "", 5) is None


def test_a_route_is_named_as_a_person_would() -> None:
    assert shown_route("shop/charge/0/1") == "shop/charge rule 0"
    assert shown_route("default") == "default route"
    assert shown_route("unmatched/shop") == "none of the routes of namespace shop"
    assert shown_route(None) == shown_route("") == "no route"
