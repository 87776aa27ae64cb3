"""What a Gateway wants its infrastructure to be labelled with, on the Envoy that it gets.

In a cluster the same is on the objects of its Envoys: tests/kube/test_deployer.py.
"""

from __future__ import annotations

import asyncio
import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from live.serving import Place, Served, serving

pytestmark = pytest.mark.live

LOOKS = 100


def gateway(place: Place, team: str) -> str:
    return f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {{name: edge, namespace: shop, labels: {{own: label}}}}
        spec:
          gatewayClassName: serai
          addresses: [{{value: {place.gateway}}}]
          listeners: [{{name: http, port: 18840, protocol: HTTP}}]
          infrastructure:
            labels: {{team: {team}, topology.kubernetes.io/region: eu}}
            annotations: {{example.com/cost-centre: "7"}}
        """


async def node(served: Served) -> dict[str, Any]:
    """Who Envoy takes itself for."""
    assert served.instance.fleet is not None
    await served.instance.fleet.wait_ready()
    admin = served.instance.fleet.statuses()[0].admin
    url = f"http://{admin}/server_info"
    body = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=5).read())
    found = json.loads(body)["node"]
    assert isinstance(found, dict)
    return found


async def test_labels_and_annotations_are_on_the_envoy(tmp_path: Path) -> None:
    place = Place()
    files = {"gateway.yaml": gateway(place, "edge")}
    async with serving(tmp_path, files, (), place) as served:
        said = await node(served)
        assert said["metadata"] == {
            "LABELS": {"team": "edge", "topology.kubernetes.io/region": "eu"},
            "ANNOTATIONS": {"example.com/cost-centre": "7"},
        }
        assert said["locality"]["region"] == "eu"
        served.write("gateway.yaml", gateway(place, "web"))
        for _ in range(LOOKS):
            if (await node(served))["metadata"]["LABELS"]["team"] == "web":
                return
            await asyncio.sleep(0.1)
        pytest.fail("the Envoy still has the former labels")
