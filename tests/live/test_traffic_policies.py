"""Each feature of a TrafficPolicy that needs nobody else: what it does, and a change of it.

All of them come and go on one route while a client keeps its connection: policies are in routes,
so that none of them costs a connection.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from live.envoys import free_port
from live.listeners import headers, held
from live.serving import (
    SECONDS,
    Place,
    Served,
    answer,
    echoed,
    eventually,
    request,
    serving,
    workload,
)
from live.stats import stats
from serai.app.client.http import Entry, HttpAnswer, HttpRequest
from serai.ir.origin import Value
from serai.policies import BY_NAME

pytestmark = pytest.mark.live

PORT = 18091
WORLD = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: edge, namespace: shop}}
spec:
  gatewayClassName: serai
  addresses: [{{value: {gateway}}}]
  listeners: [{{name: web, port: {port}, protocol: HTTP}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: api, namespace: shop}}
spec:
  hosts: [api.internal]
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {found}}}]
  resolution: DNS
  endpoints: [{{address: localhost}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: api, namespace: shop}}
spec:
  parentRefs: [{{name: edge}}]
  rules:
  - backendRefs: [{{group: networking.istio.io, kind: ServiceEntry, name: api, port: 80}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: held, namespace: shop}}
spec:
  parentRefs: [{{name: edge}}]
  rules:
  - matches: [{{path: {{value: /held}}}}]
    backendRefs: [{{group: networking.istio.io, kind: ServiceEntry, name: api, port: 80}}]
"""
Seen = Callable[[HttpAnswer], bool]


class Feature(Value, frozen=True):
    """What is asked, what a policy says of it, and what is then seen; and after a change."""

    asked: HttpRequest
    first: tuple[str, Seen]
    then: tuple[str, Seen]


def status(wanted: int) -> Seen:
    return lambda found: found.status == wanted


def told(name: str, value: str) -> Seen:
    """A header of the answer."""
    return lambda found: found.header(name) == value


def reached(field: str, value: str) -> Seen:
    """What the endpoint was asked for."""
    return lambda found: found.status == 200 and value == msgspec.json.decode(found.body)[field]


def sent(name: str, value: str) -> Seen:
    """A header that reached the endpoint."""
    return lambda found: found.status == 200 and headers(echoed(found)).get(name) == [value]


def post(body: bytes = b"", **more: str) -> HttpRequest:
    length = {"content_length": str(len(body))}
    return replace(request("/", "x", "POST", **length, **more), body=body)


GET = request("/", "x")
PREFLIGHT = request(
    "/", "x", "OPTIONS", origin="https://a.example", access_control_request_method="GET"
)
CROSS = post(origin="http://evil.example")
REDIRECTED = request("/status/302", "x", x_echo_set_header=f"location:http://x:{PORT}/landed")
PACKED = post(gzip.compress(b"unpacked"), content_encoding="gzip")
AGAIN = request("/retry/it?uuid=it&succeedAfter=1&responseCode=503", "x")
MARK = '{{ request_header("x-mark") }}'
FEATURES = {
    "acl": Feature(
        GET,
        ("acl: {defaultAction: deny}", status(403)),
        ("acl: {defaultAction: allow}", status(200)),
    ),
    "autoHostRewrite": Feature(
        GET,
        ("autoHostRewrite: true", reached("host", "localhost")),
        ("autoHostRewrite: false", reached("host", "x")),
    ),
    "buffer": Feature(
        post(b"x" * 2000),
        ("buffer: {maxRequestSize: 1Ki}", status(413)),
        ("buffer: {maxRequestSize: 4Ki}", status(200)),
    ),
    "compression.responseCompression": Feature(
        request("/", "x", accept_encoding="gzip, br"),
        (
            "compression: {responseCompression: {libraries: [Gzip]}}",
            told("content-encoding", "gzip"),
        ),
        (
            "compression: {responseCompression: {libraries: [Brotli]}}",
            told("content-encoding", "br"),
        ),
    ),
    "compression.requestDecompression": Feature(
        PACKED,
        ("compression: {requestDecompression: {libraries: [Gzip]}}", reached("body", "unpacked")),
        (
            "compression: {requestDecompression: {libraries: [Brotli]}}",
            sent("content-encoding", "gzip"),
        ),
    ),
    "cors": Feature(
        PREFLIGHT,
        (
            'cors: {allowOrigins: ["https://a.example"], allowMethods: [GET]}',
            told("access-control-allow-origin", "https://a.example"),
        ),
        (
            'cors: {allowOrigins: ["https://b.example"], allowMethods: [GET]}',
            told("access-control-allow-origin", ""),
        ),
    ),
    "csrf": Feature(
        CROSS,
        ("csrf: {percentageEnabled: 100}", status(403)),
        (
            "csrf: {percentageEnabled: 100, additionalOrigins: [{exact: evil.example}]}",
            status(200),
        ),
    ),
    "faultInjection": Feature(
        GET,
        ("faultInjection: {abort: {httpStatus: 418}}", status(418)),
        ("faultInjection: {abort: {httpStatus: 503}}", status(503)),
    ),
    "headerModifiers": Feature(
        GET,
        ("headerModifiers: {request: {set: [{name: x-it, value: one}]}}", sent("x-it", "one")),
        ("headerModifiers: {request: {set: [{name: x-it, value: two}]}}", sent("x-it", "two")),
    ),
    "internalRedirect": Feature(
        REDIRECTED,
        ("internalRedirect: {redirectResponseCodes: [302]}", reached("path", "/landed")),
        ("internalRedirect: {redirectResponseCodes: [307]}", status(302)),
    ),
    "rateLimit.local": Feature(
        GET,
        ("rateLimit: {local: {tokenBucket: {maxTokens: 1, fillInterval: 1h}}}", status(429)),
        ("rateLimit: {local: {tokenBucket: {maxTokens: 9000, fillInterval: 1h}}}", status(200)),
    ),
    "rbac": Feature(
        GET,
        ("rbac: {policy: {matchExpressions: [\"request.method == 'POST'\"]}}", status(403)),
        ("rbac: {policy: {matchExpressions: [\"request.method == 'GET'\"]}}", status(200)),
    ),
    "retry": Feature(
        AGAIN,
        (
            "retry: {retryOn: [retriable-status-codes], statusCodes: [503], attempts: 2}",
            status(200),
        ),
        (
            "retry: {retryOn: [retriable-status-codes], statusCodes: [500], attempts: 2}",
            status(503),
        ),
    ),
    "timeouts": Feature(
        request("/?delay=1s", "x"),
        ("timeouts: {request: 100ms}", status(504)),
        ("timeouts: {request: 5s}", status(200)),
    ),
    "transformation": Feature(
        request("/", "x", x_mark="marked"),
        (
            "transformation: {response: {set: [{name: x-it, value: one}]}}",
            told("x-it", "one"),
        ),
        (
            f"transformation: {{response: {{set: [{{name: x-it, value: '{MARK}'}}]}}}}",
            told("x-it", "marked"),
        ),
    ),
    "urlRewrite": Feature(
        GET,
        (
            "urlRewrite: {pathRegex: {pattern: '^/$', substitution: /one}}",
            reached("path", "/one"),
        ),
        (
            "urlRewrite: {pathRegex: {pattern: '^/$', substitution: /two}}",
            reached("path", "/two"),
        ),
    ),
}

ELSEWHERE = {
    "apiKeyAuth": "cases/policies/api-keys-from-secrets/steps",
    "basicAuth": "cases/policies/passwords-from-a-secret/steps",
    "extAuth": "live/test_ext_auth.py",
    "extProc": "live/test_ext_proc.py",
    "jwtAuth": "live/test_tokens.py",
    "oauth2": "live/test_oauth2.py",
    "rateLimit.global": "live/test_rate_limits.py",
    "statPrefix": "live/test_transformation.py",
    "tracing": "live/test_listener_settings.py",
    "AuthorizationPolicy": "live/test_authorization.py",
    "RequestAuthentication": "live/test_tokens.py",
}
"""What needs others to be shown, and where it is."""


def policy(spec: str) -> str:
    return f"""
apiVersion: gateway.kgateway.dev/v1alpha1
kind: TrafficPolicy
metadata: {{name: p, namespace: shop}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, name: api}}]
  {spec}
"""


@asynccontextmanager
async def world(tmp_path: Path) -> AsyncIterator[Served]:
    place, found = Place(), free_port()
    text = WORLD.format(gateway=place.gateway, port=PORT, found=found)
    behind = [workload("127.0.0.1", found, "api")]
    async with serving(tmp_path, {"all.yaml": text}, behind, place) as served:
        yield served


def test_every_feature_is_here_or_elsewhere() -> None:
    assert FEATURES.keys() | ELSEWHERE.keys() == BY_NAME.keys()
    assert all((Path(__file__).parents[1] / each).exists() for each in ELSEWHERE.values())


async def test_each_is_changed_live_and_costs_no_connection(tmp_path: Path) -> None:
    async with world(tmp_path) as served:
        entry = Entry(connect=(served.place.gateway, PORT))
        await eventually(lambda: served.ask(entry, GET), status(200))
        async with held(served.place.gateway, PORT) as own:
            for name, feature in FEATURES.items():
                for spec, seen in (feature.first, feature.then):
                    served.write("policy.yaml", policy(spec))
                    await eventually(partial(served.ask, entry, feature.asked), seen)
                assert b"200 OK" in await own.ask("/held"), name
            served.write("policy.yaml", policy(FEATURES["acl"].first[0]))
            await eventually(lambda: served.ask(entry, GET), status(403))
            served.write("policy.yaml", "")
            await eventually(lambda: served.ask(entry, GET), status(200))
            assert b"200 OK" in await own.ask("/held")


async def test_csrf_that_is_only_tried_is_counted_and_refuses_nobody(tmp_path: Path) -> None:
    async with world(tmp_path) as served:
        entry = Entry(connect=(served.place.gateway, PORT))

        async def refused() -> int:
            return await stats(tmp_path, ".csrf.request_invalid")

        await eventually(lambda: served.ask(entry, CROSS), status(200))
        assert await refused() == 0
        served.write("policy.yaml", policy("csrf: {percentageShadowed: 100}"))
        async with asyncio.timeout(SECONDS):
            while not await refused():
                assert answer(await served.ask(entry, CROSS)).status == 200
