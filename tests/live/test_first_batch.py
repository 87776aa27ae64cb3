"""While the first objects are computed in portions, Envoy takes clusters and answers nobody."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from pathlib import Path

import pytest

from live.mesh import entry, mesh, route, to_host
from live.serving import Place, pod, request, serving, workload
from serai.app import core as app
from serai.app.client.http import Entry, HttpAnswer, send
from serai.server.ads import AdsServer
from serai.xds.resource import ResourceType

pytestmark = pytest.mark.live

SERVICES, PORTION = 40, 4


async def test_envoy_has_clusters_before_all_is_known_and_never_answers_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place()
    endpoint = place.address()
    monkeypatch.setattr(app, "PORTION", PORTION)
    monkeypatch.setattr("serai.app.standalone.BREATH_SECONDS", 0.1)  # as long as large ones take
    taken: list[Counter[ResourceType]] = []
    ready = AdsServer.mark_ready

    def counted(server: AdsServer) -> None:
        taken.append(Counter({each.type: each.acked for each in server.clients()[0].types}))
        ready(server)

    monkeypatch.setattr(AdsServer, "mark_ready", counted)
    files = {f"s{n}.yaml": entry(f"s{n}", f"240.0.1.{n}", endpoint) for n in range(SERVICES)}
    last = f"240.0.1.{SERVICES - 1}"
    # All of the last service's requests belong to the first one: its own default would be wrong.
    parent = f"{{group: networking.istio.io, kind: ServiceEntry, name: s{SERVICES - 1}}}"
    to = "{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x-by, value: r}]}}"
    rules = f"[{{filters: [{to}], backendRefs: [{to_host('s0.example.com')}]}}]"
    files |= {"mesh.yaml": mesh(place), "route.yaml": route("r", parent, rules)}

    answers: Counter[tuple[int, str | None]] = Counter()

    async def asking() -> None:
        way = Entry(connect=(place.gateway, 15088), destination=(last, 8000))
        while True:
            found = await send(way, request("/", "x"), 5)
            if isinstance(found, HttpAnswer):
                answers[found.status, dict(found.headers).get("x-by")] += 1
            await asyncio.sleep(0.005)

    asked = asyncio.create_task(asking())
    async with serving(tmp_path, files, [workload(endpoint, 3000, "one")], place) as served:
        for number in range(SERVICES):
            assert pod(await served.to_vip(f"240.0.1.{number}", 8000)) == "one"
        asked.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asked
    assert answers.keys() == {(200, "r")}
    (ahead,) = taken
    assert ahead[ResourceType.CLUSTER] > SERVICES / 2
    assert ahead[ResourceType.ENDPOINTS] > SERVICES / 2
    assert ahead[ResourceType.LISTENER] == ahead[ResourceType.ROUTES] == 0
