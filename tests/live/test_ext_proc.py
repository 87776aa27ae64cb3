"""Others that see requests and answers, and change them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from live.asked import processing
from live.extensions import VIP, ask, called, policy, setting
from live.mesh import entry, mesh
from live.serving import Place, echoed, eventually, serving, workload

pytestmark = pytest.mark.live


def extension(more: str = "") -> str:
    return f"""
        apiVersion: gateway.kgateway.dev/v1alpha1
        kind: GatewayExtension
        metadata: {{name: change, namespace: shop}}
        spec:
          extProc:
            messageTimeout: 5s
            grpcService:
              backendRef: {{group: networking.istio.io, kind: ServiceEntry, name: change, port: 80}}
            {more}
        """


def world(place: Place, backend: str, changing: str) -> dict[str, str]:
    return {
        "mesh.yaml": mesh(place),
        "pay.yaml": entry("pay", VIP, backend),
        "change.yaml": called("change", changing, 3003, "GRPC"),
        "extension.yaml": extension(),
        "policy.yaml": policy("extProc: {extensionRef: {name: change}}"),
    }


def replacing(side: str, body: bytes) -> dict[str, Any]:
    """What replaces a body; its length is told anew."""
    return {side: {"response": {"body_mutation": {"body": body}}}}


async def test_headers_and_bodies_are_changed_as_its_modes_allow(tmp_path: Path) -> None:
    place = Place()
    backend, changing = place.address(), place.address()
    files = world(place, backend, changing)
    async with (
        processing(changing, 3003) as processor,
        serving(tmp_path, files, [workload(backend, 3000, "pay")], place) as served,
    ):
        processor.answers["request_headers"] = lambda _: setting("request_headers", x_in="1")
        processor.answers["response_headers"] = lambda _: setting("response_headers", x_out="2")
        found = await ask(served)
        assert echoed(found)["headers"]["X-In"] == ["1"]
        assert dict(found.headers)["x-out"] == "2"
        assert processor.seen == ["request_headers", "response_headers"]

        skipping = "{requestHeaderMode: SKIP, requestBodyMode: BUFFERED, responseBodyMode: BUFFERED"
        modes = f"processingMode: {skipping}, responseHeaderMode: SKIP}}"
        served.write("policy.yaml", policy(f"extProc: {{extensionRef: {{name: change}}, {modes}}}"))
        processor.answers["request_body"] = lambda _: replacing("request_body", b"changed")
        processor.answers["response_body"] = lambda _: replacing("response_body", b"another")
        found = await eventually(
            lambda: ask(served, body=b"plain"), lambda found: found.body == b"another"
        )
        assert "x-out" not in dict(found.headers)
        processor.answers["response_body"] = lambda _: {"response_body": {}}
        told = echoed(await ask(served, body=b"plain"))
        assert "X-In" not in told["headers"]

        answering = {"immediate_response": {"status": {"code": 429}, "body": b"enough"}}
        processor.answers["request_body"] = lambda _: dict(answering)
        assert (await ask(served, body=b"plain")).status == 429

        served.write("policy.yaml", policy("extProc: {disable: {}}"))
        await eventually(lambda: ask(served, body=b"plain"), lambda found: found.status == 200)


async def test_attributes_are_shown_as_asked(tmp_path: Path) -> None:
    place = Place()
    backend, changing = place.address(), place.address()
    files = world(place, backend, changing)
    files["extension.yaml"] = extension("requestAttributes: [request.path]")
    async with (
        processing(changing, 3003) as processor,
        serving(tmp_path, files, [workload(backend, 3000, "pay")], place) as served,
    ):
        await ask(served, "/a")
        (shown,) = processor.attributes.values()
        assert shown.fields["request.path"].string_value == "/a"


async def test_it_fails_open_or_closed_as_its_extension_says(tmp_path: Path) -> None:
    place = Place()
    backend, changing = place.address(), place.address()
    files = world(place, backend, changing)
    async with serving(tmp_path, files, [workload(backend, 3000, "pay")], place) as served:
        assert (await ask(served)).status == 200
        served.write("extension.yaml", extension("failOpen: false"))
        await eventually(lambda: ask(served), lambda found: found.status == 500)
        async with processing(changing, 3003) as processor:
            await eventually(lambda: ask(served), lambda found: found.status == 200)
            processor.answers["request_headers"] = lambda _: {"fail": True}
            assert (await ask(served)).status == 500
        duplex = "processingMode: {requestBodyMode: FULL_DUPLEX_STREAMED}"
        served.write("extension.yaml", extension(f"failOpen: true\n            {duplex}"))
        told = await eventually(lambda: ask(served), lambda found: found.status == 500)
        assert told.body == b""


async def test_its_place_among_filters_is_as_asked(tmp_path: Path) -> None:
    place = Place()
    backend, changing = place.address(), place.address()
    files = world(place, backend, changing)
    wanted = '{policy: {matchExpressions: [\'request.headers["x-in"] == "1"\']}}'
    both = f"extProc: {{extensionRef: {{name: change}}}}\n          rbac: {wanted}"
    files["policy.yaml"] = policy(both)
    async with (
        processing(changing, 3003) as processor,
        serving(tmp_path, files, [workload(backend, 3000, "pay")], place) as served,
    ):
        processor.answers["request_headers"] = lambda _: setting("request_headers", x_in="1")
        assert (await ask(served)).status == 403
        assert "request_headers" not in processor.seen

        for stage in (
            "{stage: AuthN}",
            "{stage: Fault, predicate: After}",
            "{stage: AuthZ, predicate: Before}",
        ):
            served.write("extension.yaml", extension())
            await eventually(lambda: ask(served), lambda found: found.status == 403)
            served.write("extension.yaml", extension(f"filterStage: {stage}"))
            await eventually(lambda: ask(served), lambda found: found.status == 200)
