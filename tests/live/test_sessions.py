"""Sessions that XBackendTrafficPolicy asks for: kept at waypoints and gateways, changed live."""

from __future__ import annotations

from pathlib import Path

import pytest

from live.entries import ENTRY, entry
from live.mesh import mesh
from live.serving import Place, answer, eventually, pod, serving, workload
from live.worlds import edge
from serai.app.client.http import Entry, HttpAnswer, HttpRequest

pytestmark = pytest.mark.live

PORT = "{group: networking.istio.io, kind: ServiceEntry, name: pay, port: 8000}"
COOKIE = "{cookie: {name: chosen}}"
HEADER = "{type: Header, header: {name: x-session}}"
VIP = ("240.0.0.7", 8000)


def policy(persistence: str) -> str:
    return f"""
        apiVersion: gateway.networking.x-k8s.io/v1alpha1
        kind: XBackendTrafficPolicy
        metadata: {{name: pay, namespace: shop}}
        spec:
          targetRefs: [{ENTRY}]
          sessionPersistence: {persistence}
        """


@pytest.mark.parametrize("at", ["waypoint", "gateway"])
async def test_a_policy_keeps_sessions_for_a_service(tmp_path: Path, at: str) -> None:
    place = Place()
    addresses = [place.address() for _ in range(4)]
    files = {
        "front.yaml": mesh(place) if at == "waypoint" else edge(place, PORT),
        "pay.yaml": entry(addresses),
        "policy.yaml": policy(COOKIE),
    }
    way = (
        Entry(connect=(place.gateway, 15088), destination=VIP)
        if at == "waypoint"
        else Entry(connect=(place.gateway, 8080))
    )
    echoes = [workload(each, 3000, each) for each in addresses]
    async with serving(tmp_path, files, echoes, place) as served:

        async def ask(*headers: tuple[str, str]) -> HttpAnswer:
            wanted = HttpRequest(method="GET", target="/", headers=(("host", "x"), *headers))
            return answer(await served.ask(way, wanted))

        async def who(*headers: tuple[str, str]) -> set[str]:
            return {pod(await ask(*headers)) for _ in range(16)}

        first = await ask()
        cookie = (first.header("set-cookie") or "").partition(";")[0]
        assert cookie.startswith("chosen=")
        assert await who(("cookie", cookie)) == {pod(first)}
        assert len(await who()) > 1

        served.write("policy.yaml", policy(HEADER))
        first = await eventually(ask, lambda found: bool(found.header("x-session")))
        kept = ("x-session", first.header("x-session") or "")
        assert await who(kept) == {pod(first)}
        assert len(await who(("cookie", cookie))) > 1


async def test_what_a_route_says_of_sessions_comes_first(tmp_path: Path) -> None:
    """Gateway API: GEP-1619; the rest of the route's requests keep the service's session."""
    place = Place()
    one = place.address()
    own = "rules: [{sessionPersistence: {cookie: {name: own}}, matches: [{path: {value: /own}}],"
    both = edge(place, PORT).replace("rules: [{", f"{own} backendRefs: [{PORT}]}}, {{", 1)
    files = {"front.yaml": both, "pay.yaml": entry([one]), "policy.yaml": policy(COOKIE)}
    async with serving(tmp_path, files, [workload(one, 3000, "one")], place) as served:
        for path, name in (("/own", "own="), ("/", "chosen=")):
            found = answer(await served.to(place.gateway, 8080, path))
            assert (found.header("set-cookie") or "").startswith(name)
