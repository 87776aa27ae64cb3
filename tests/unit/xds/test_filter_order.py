"""The order of filters that docs/policies.md promises is the order in which Envoy is told them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from google.protobuf import any_pb2

from serai.ir.leaf import Leaf
from serai.ir.route import Route
from serai.policies import BY_NAME
from serai.policies.authorization import FILTERS as AUTHORIZATION
from serai.proto.envoy import ExecuteFilterAction, ExtensionWithMatcherPerRoute
from serai.xds.encode.policies import http_filters, route_filters
from unit.views.worlds import read

PAGE = Path(__file__).parents[3] / "docs" / "policies.md"
KEYS = {
    "keys": [
        {"kty": "OKP", "crv": "Ed25519", "kid": "a"}
        | {"x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    ]
}
TO = "backendRef: {group: networking.istio.io, kind: ServiceEntry, name: guard, port: 80}"
WORLD = f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: edge, namespace: istio-system}}
spec:
  gatewayClassName: serai
  listeners: [{{name: web, port: 8080, protocol: HTTP}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: api, namespace: istio-system}}
spec:
  hosts: [api.example]
  ports: [{{number: 80, name: http, protocol: HTTP}}]
  resolution: STATIC
  endpoints: [{{address: 127.0.0.2}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: guard, namespace: istio-system}}
spec:
  hosts: [guard.example]
  ports: [{{number: 80, name: grpc, protocol: GRPC}}]
  resolution: STATIC
  endpoints: [{{address: 127.0.0.3}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: api, namespace: istio-system}}
spec:
  parentRefs: [{{name: edge}}]
  rules:
  - backendRefs: [{{group: networking.istio.io, kind: ServiceEntry, name: api, port: 80}}]
---
apiVersion: v1
kind: Secret
metadata: {{name: keys, namespace: istio-system}}
stringData: {{alice: key-of-alice, client-secret: s}}
---
apiVersion: gateway.kgateway.dev/v1alpha1
kind: GatewayExtension
metadata: {{name: guard, namespace: istio-system}}
spec: {{extAuth: {{grpcService: {{{TO}}}}}}}
---
apiVersion: gateway.kgateway.dev/v1alpha1
kind: GatewayExtension
metadata: {{name: change, namespace: istio-system}}
spec: {{extProc: {{grpcService: {{{TO}}}}}}}
---
apiVersion: gateway.kgateway.dev/v1alpha1
kind: GatewayExtension
metadata: {{name: count, namespace: istio-system}}
spec: {{rateLimit: {{domain: d, grpcService: {{{TO}}}}}}}
---
apiVersion: gateway.kgateway.dev/v1alpha1
kind: GatewayExtension
metadata: {{name: login, namespace: istio-system}}
spec:
  oauth2:
    {TO}
    authorizationEndpoint: https://login.example/a
    tokenEndpoint: https://login.example/t
    redirectURI: https://api.example/callback
    logoutPath: /logout
    credentials: {{clientID: c, clientSecretRef: {{name: keys}}}}
---
apiVersion: gateway.kgateway.dev/v1alpha1
kind: TrafficPolicy
metadata: {{name: all, namespace: istio-system}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, name: api}}]
  buffer: {{maxRequestSize: 1Ki}}
  compression: {{responseCompression: {{}}, requestDecompression: {{}}}}
  csrf: {{percentageEnabled: 100}}
  headerModifiers: {{request: {{set: [{{name: x-last, value: "yes"}}]}}}}
  transformation: {{request: {{set: [{{name: x-user, value: '{{{{ header("x-a") }}}}'}}]}}}}
  rateLimit:
    local: {{tokenBucket: {{maxTokens: 1, fillInterval: 1s}}}}
    global: {{extensionRef: {{name: count}}, descriptors: [{{entries: [{{type: Path}}]}}]}}
  extProc: {{extensionRef: {{name: change}}}}
  rbac: {{policy: {{matchExpressions: ["request.method == 'GET'"]}}}}
  apiKeyAuth: {{secretRef: {{name: keys}}}}
  basicAuth: {{users: ["user:{{SHA}}W6ph5Mm5Pz8GgiULbPgzG37mj9g="]}}
  extAuth: {{extensionRef: {{name: guard}}}}
  oauth2: {{extensionRef: {{name: login}}}}
  acl: {{defaultAction: allow}}
  faultInjection: {{delay: {{fixedDelay: 1s}}}}
  cors: {{allowOrigins: ["*"]}}
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {{name: tokens, namespace: istio-system}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: edge}}]
  jwtRules: [{{issuer: https://issuer.example, jwks: '{json.dumps(KEYS)}'}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: asked, namespace: istio-system}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: edge}}]
  action: CUSTOM
  provider: {{name: guard}}
  rules: [{{}}]
"""
for _action in ("ALLOW", "DENY", "AUDIT"):
    WORLD += f"""
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: {_action.lower()}, namespace: istio-system}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: edge}}]
  action: {_action}
  rules: [{{to: [{{operation: {{methods: [GET]}}}}]}}]
"""
ON_THE_PAGE = {
    "cors": "CORS",
    "AuthorizationPolicy": "CUSTOM",
    "serai.authorization.deny": "`.deny`",
    "serai.authorization.allow": "`.allow`",
    "RequestAuthentication": "RequestAuthentications",
}
"""What a filter is called there, where it is not its own name as code."""
NO_FILTERS = {
    *("timeouts", "retry", "urlRewrite", "autoHostRewrite", "internalRedirect"),
    *("statPrefix", "tracing"),
}
"""Features that only say something of the route itself."""
BESIDE = {"jwtAuth"}
"""Features that share a filter with another, RequestAuthentication, that is here."""


def test_filters_are_encoded_in_the_order_of_the_page(tmp_path: Path) -> None:
    route = _route(tmp_path)
    features = {each.feature for each in route.leaves}
    assert features | NO_FILTERS | BESIDE == set(BY_NAME)
    parts = {
        part: feature
        for feature in features
        for part in _filters(tuple(each for each in route.leaves if each.feature == feature))
    }
    found = [
        name if name.startswith("serai.authorization") else parts[name, config]
        for name, config in _filters(route.leaves)
    ]
    assert len(set(found)) == len(features) + len(AUTHORIZATION)
    page = _page()
    places = {each: page.index(ON_THE_PAGE.get(each, f"`{each}`")) for each in found}
    assert found == sorted(found, key=places.__getitem__)


def test_rows_of_slots_are_named_in_the_order_of_the_page() -> None:
    named = re.findall(r"`(serai\.[a-z.]+)`", _page())
    names = [str(each["name"]) for each in http_filters()]
    assert [each for each in names if each in named] == list(dict.fromkeys(named))


def _page() -> str:
    """What docs/policies.md says of the order."""
    text = PAGE.read_text()
    return text[text.index("## The order of filters") : text.index("Each slot is a row")]


def _route(folder: Path) -> Route:
    (folder / "all.yaml").write_text(WORLD)
    found = read(folder)
    assert not list(found.pipeline.problems.items())
    (routes,) = (routes for _, routes in found.pipeline.translated.routes.items())
    ((route,),) = ((host.routes) for host in routes.virtual_hosts)
    return route


def _filters(leaves: tuple[Leaf, ...]) -> list[tuple[str, bytes]]:
    """All that run for a route, in the order of the connection manager: their configuration."""
    configs = route_filters(leaves)
    return [
        part
        for each in http_filters()
        if each["name"] in configs
        for part in _run(str(each["name"]), any_pb2.Any(**configs[each["name"]]))
    ]


def _run(name: str, config: any_pb2.Any) -> Iterator[tuple[str, bytes]]:
    slot, action = ExtensionWithMatcherPerRoute(), ExecuteFilterAction()
    if not config.Unpack(slot):
        yield name, config.value
        return
    slot.xds_matcher.on_no_match.action.typed_config.Unpack(action)
    for each in action.filter_chain.typed_config:
        yield each.name, each.typed_config.value
