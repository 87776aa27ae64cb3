"""Policies of a Gateway and of what is behind it as one: whom both name is asked, in order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from live.asked import Guard, allowed, denied, guarding, processing
from live.extensions import VIP, ask, called, policy, setting
from live.mesh import entry, mesh
from live.serving import Place, echoed, eventually, serving, workload

pytestmark = pytest.mark.live


def merging(place: Place, how: str) -> str:
    noted = f"annotations: {{kgateway.dev/inherited-policy-priority: {how}}}"
    return mesh(place).replace("{name: waypoint,", f"{{name: waypoint, {noted},")


def extension(name: str, field: str) -> str:
    return f"""
        apiVersion: gateway.kgateway.dev/v1alpha1
        kind: GatewayExtension
        metadata: {{name: {name}, namespace: shop}}
        spec:
          {field}:
            grpcService:
              backendRef: {{group: networking.istio.io, kind: ServiceEntry, name: {name}, port: 80}}
              requestTimeout: 5s
        """


def of_gateway(spec: str) -> str:
    return policy(spec, "all", "Gateway").replace("name: pay}]", "name: waypoint}]")


def noting(asked: list[str], name: str) -> Callable[[Any], Any]:
    def answer(_: Any) -> Any:
        asked.append(name)
        return allowed()

    return answer


def named(guards: dict[str, Guard]) -> list[str]:
    """The guards are told to note that they were asked, in the list that is returned."""
    asked: list[str] = []
    for name, guard in guards.items():
        guard.answer = noting(asked, name)
    return asked


async def test_both_guards_are_asked_the_first_policys_first(tmp_path: Path) -> None:
    place = Place()
    backend, far, near = place.address(), place.address(), place.address()
    files = {
        "mesh.yaml": merging(place, "DeepMergePreferParent"),
        "pay.yaml": entry("pay", VIP, backend),
        "far.yaml": called("far", far, 3001, "GRPC"),
        "near.yaml": called("near", near, 3001, "GRPC"),
        "extensions.yaml": extension("far", "extAuth") + "---" + extension("near", "extAuth"),
        "all.yaml": of_gateway(
            "extAuth: {extensionRef: {name: far}, contextExtensions: {of: gateway}}"
        ),
        "pay-policy.yaml": policy("extAuth: {extensionRef: {name: near}}"),
    }
    backends = [workload(backend, 3000, "pay")]
    async with (
        guarding(far, 3001) as of_far,
        guarding(near, 3001) as of_near,
        serving(tmp_path, files, backends, place) as served,
    ):
        asked = named({"far": of_far, "near": of_near})
        assert (await ask(served)).status == 200
        assert asked == ["far", "near"]
        assert (of_far.said, of_near.said) == ({"of": "gateway"}, {})

        served.write("mesh.yaml", merging(place, "DeepMergePreferChild"))
        await eventually(lambda: ask(served), lambda _: asked[-2:] == ["near", "far"])
        assert (of_far.said, of_near.said) == ({"of": "gateway"}, {})

        of_far.answer = lambda _: denied(418, "not you")
        assert (await ask(served)).status == 418

        served.write("mesh.yaml", merging(place, "ShallowMergePreferChild"))
        await eventually(lambda: ask(served), lambda found: found.status == 200)

        served.write("mesh.yaml", merging(place, "DeepMergePreferParent"))
        await eventually(lambda: ask(served), lambda found: found.status == 418)
        served.write("pay-policy.yaml", policy("extAuth: {disable: {}}"))
        await eventually(lambda: ask(served), lambda found: found.status == 200)


async def test_both_processors_change_a_request(tmp_path: Path) -> None:
    place = Place()
    backend, far, near = place.address(), place.address(), place.address()
    files = {
        "mesh.yaml": merging(place, "DeepMergePreferChild"),
        "pay.yaml": entry("pay", VIP, backend),
        "far.yaml": called("far", far, 3003, "GRPC"),
        "near.yaml": called("near", near, 3003, "GRPC"),
        "extensions.yaml": extension("far", "extProc") + "---" + extension("near", "extProc"),
        "all.yaml": of_gateway("extProc: {extensionRef: {name: far}}"),
        "pay-policy.yaml": policy("extProc: {extensionRef: {name: near}}"),
    }
    async with (
        processing(far, 3003) as of_far,
        processing(near, 3003) as of_near,
        serving(tmp_path, files, [workload(backend, 3000, "pay")], place) as served,
    ):
        of_far.answers["request_headers"] = lambda _: setting(
            "request_headers", x_far="1", x_last="far"
        )
        of_near.answers["request_headers"] = lambda _: setting(
            "request_headers", x_near="1", x_last="near"
        )
        told = echoed(await ask(served))["headers"]
        assert (told["X-Far"], told["X-Near"], told["X-Last"]) == (["1"], ["1"], ["far"])
        served.write("mesh.yaml", merging(place, "DeepMergePreferParent"))
        await eventually(
            lambda: ask(served), lambda found: echoed(found)["headers"]["X-Last"] == ["near"]
        )
