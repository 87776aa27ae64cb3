"""Subsets of DestinationRules: which endpoints get what a route sends to one, as labels change."""

from __future__ import annotations

from pathlib import Path

import pytest

from live.serving import Place, eventually, pod, serving, workload
from live.sick_server import sick
from live.state import shown, until_known
from live.worlds import edge, rule
from serai.views.backends import backend_rows

pytestmark = pytest.mark.live

HOST = "partner.example"
NAME = f"outbound_.80_.new_.{HOST}"
SUBSET = f"{{group: networking.istio.io, kind: Hostname, name: {NAME}, port: 80}}"


def entry(one: str, two: str) -> str:
    return f"""
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {{name: partner, namespace: shop}}
        spec:
          hosts: [{HOST}]
          ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 3000}}]
          resolution: STATIC
          endpoints:
          - {{address: {one}, labels: {{version: v1}}}}
          - {{address: {two}, labels: {{version: v2}}}}
        """


def subset(version: str, more: str = "") -> str:
    return rule(HOST, f"subsets: [{{name: new, labels: {{version: {version}}}{more}}}]")


async def test_the_labels_of_a_subset_choose_its_endpoints_as_they_change(tmp_path: Path) -> None:
    place = Place()
    one, two = place.address(), place.address()
    files = {
        "edge.yaml": edge(place, SUBSET),
        "entry.yaml": entry(one, two),
        "rule.yaml": subset("v1"),
    }
    endpoints = [workload(one, 3000, "one"), workload(two, 3000, "two")]
    async with serving(tmp_path, files, endpoints, place) as served:

        async def reached() -> set[str]:
            return {pod(await served.to(place.gateway, 8080)) for _ in range(8)}

        assert await reached() == {"one"}

        served.write("rule.yaml", subset("v2"))
        await eventually(lambda: served.to(place.gateway, 8080), lambda got: b'"two"' in got.body)
        assert await reached() == {"two"}

        served.write("rule.yaml", subset("v3"))
        await eventually(lambda: served.to(place.gateway, 8080), lambda got: got.status == 503)

        served.write("entry.yaml", entry(one, two).replace("version: v1", "version: v3"))
        await eventually(lambda: served.to(place.gateway, 8080), lambda got: b'"one"' in got.body)
        assert await reached() == {"one"}

        served.write("rule.yaml", rule(HOST, "subsets: [{name: other}]"))
        await eventually(lambda: served.to(place.gateway, 8080), lambda got: got.status == 500)


async def test_what_is_ejected_from_a_subset_is_shown(tmp_path: Path) -> None:
    place = Place()
    one, two = place.address(), place.address()
    outliers = """, trafficPolicy: {outlierDetection:
          {consecutive5xxErrors: 3, interval: 100ms, maxEjectionPercent: 100}}"""
    both = entry(one, two).replace("version: v2", "version: v1")
    files = {
        "edge.yaml": edge(place, SUBSET),
        "entry.yaml": both,
        "rule.yaml": subset("v1", outliers),
    }
    async with (
        sick(one, 3000, "one") as first,
        sick(two, 3000, "two"),
        serving(tmp_path, files, [], place) as served,
    ):
        first.status = 500
        for _ in range(20):
            await served.to(place.gateway, 8080)
        ejected = "failed_outlier_check"
        await until_known(served, lambda state: ejected in shown(state)[one][1], health=True)
        found = await served.instance.read(shown, health=True)
        assert found[two] == ("ready", "healthy")
        rows = await served.instance.read(backend_rows)
        assert [(each.host, each.used_by) for each in rows] == [(HOST, ("shop/edge",))]
