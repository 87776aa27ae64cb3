"""What a DirectResponse answers, to the last byte, and how it changes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from live.serving import Place, answer, eventually, serving

pytestmark = pytest.mark.live

PORT = 18091
MANIFESTS = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: edge, namespace: shop}}
spec:
  gatewayClassName: serai
  addresses: [{{value: {gateway}}}]
  listeners: [{{name: http, port: 18091, protocol: HTTP}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: answers, namespace: shop}}
spec:
  parentRefs: [{{name: edge}}]
  rules: [{rules}]
"""
NAMES = ("plain", "text", "json", "typed")


def rule(name: str) -> str:
    ref = f"{{group: gateway.kgateway.dev, kind: DirectResponse, name: {name}}}"
    filters = f"[{{type: ExtensionRef, extensionRef: {ref}}}]"
    return f"{{matches: [{{path: {{value: /{name}}}}}], filters: {filters}}}"


def direct(name: str, spec: str) -> str:
    return f"""
apiVersion: gateway.kgateway.dev/v1alpha1
kind: DirectResponse
metadata: {{name: {name}, namespace: shop}}
spec: {spec}
"""


async def test_bodies_and_their_types(tmp_path: Path) -> None:
    place = Place()
    files = {
        "all.yaml": MANIFESTS.format(gateway=place.gateway, rules=", ".join(map(rule, NAMES))),
        "plain.yaml": direct("plain", '{status: 403, body: "100%, %PROTOCOL%"}'),
        "text.yaml": direct("text", '{status: 200, bodyFormat: {text: "%REQ(:PATH)% 100%%"}}'),
        "json.yaml": direct(
            "json",
            '{status: 200, bodyFormat: {json: {at: "%PATH(NQ)%", of: {nested: ["%PROTOCOL%"]}}}}',
        ),
        "typed.yaml": direct(
            "typed", '{status: 200, bodyFormat: {text: "<p>hi</p>", contentType: text/html}}'
        ),
    }
    async with serving(tmp_path, files, (), place) as served:

        async def ask(name: str) -> tuple[int, bytes, str]:
            found = answer(await served.to(place.gateway, PORT, f"/{name}?q=1"))
            return found.status, found.body, dict(found.headers)["content-type"]

        assert await ask("plain") == (403, b"100%, %PROTOCOL%", "text/plain")
        assert await ask("text") == (200, b"/text?q=1 100%", "text/plain")
        status, body, kind = await ask("json")
        wanted = {"at": "/json", "of": {"nested": ["HTTP/1.1"]}}
        assert (status, msgspec.json.decode(body), kind) == (200, wanted, "application/json")
        assert await ask("typed") == (200, b"<p>hi</p>", "text/html")
        served.write("plain.yaml", direct("plain", "{status: 410, body: gone}"))
        await eventually(
            lambda: served.to(place.gateway, PORT, "/plain"),
            lambda found: (found.status, found.body) == (410, b"gone"),
        )
        (served.folder / "plain.yaml").unlink()
        await eventually(
            lambda: served.to(place.gateway, PORT, "/plain"), lambda found: found.status == 500
        )
