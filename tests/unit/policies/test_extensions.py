"""What Envoy would refuse of a GatewayExtension, which would leave a route as open as it was."""

from __future__ import annotations

import pytest

from unit.policies.one_policy import told

SECRET = """
    apiVersion: v1
    kind: Secret
    metadata: {name: keys, namespace: shop}
    stringData: {client-secret: hush}
"""
ASK = "https://login.example/a"
BACKEND = "backendRef: {group: networking.istio.io, kind: ServiceEntry, name: pay, port: 80}"


def extension(spec: str) -> str:
    return f"""
        apiVersion: gateway.kgateway.dev/v1alpha1
        kind: GatewayExtension
        metadata: {{name: guard, namespace: shop}}
        spec: {{{spec}}}
    """


def http(spec: str) -> tuple[str, str]:
    return "extAuth", f"extAuth: {{httpService: {{{BACKEND}, {spec}}}}}"


def grpc(spec: str, outside: str = "") -> tuple[str, str]:
    return "extAuth", f"extAuth: {{grpcService: {{{BACKEND}, {spec}}}, {outside}}}"


def proc(spec: str) -> tuple[str, str]:
    return "extProc", f"extProc: {{grpcService: {{{BACKEND}}}, {spec}}}"


def log_in(
    spec: str = "", client: str = "c", ask: str = "https://login.example/a"
) -> tuple[str, str]:
    secret = f"credentials: {{clientID: '{client}', clientSecretRef: {{name: keys}}}}"
    ends = f"authorizationEndpoint: '{ask}', tokenEndpoint: 'https://login.example/t'"
    return "oauth2", f"oauth2: {{{BACKEND}, {secret}, {ends}, {spec}}}"


@pytest.mark.parametrize(
    ("feature", "spec"),
    [
        http("pathPrefix: check"),
        http('authorizationRequest: {headersToAdd: {"x y": a}}'),
        http('authorizationRequest: {headersToAdd: {x: "a\\nb"}}'),
        http("requestTimeout: 9999999h"),
        http("requestTimeout: ²s"),
        http("retry: {backoff: {baseInterval: 0s}}"),
        grpc("requestTimeout: 9999999h"),
        grpc('authority: "a\\nb"'),
        grpc("authority: a", "statusOnError: 199"),
        proc("messageTimeout: 2h"),
        proc("maxMessageTimeout: 2h"),
        proc("requestAttributes: [request.path, /]"),
        log_in(client=""),
        log_in(ask="https://[::1/a"),
        log_in(ask="https://login.example:port/a"),
        log_in("redirectURI: 'https://[::1/back'"),
        log_in("denyRedirect: {headers: [{name: '', value: a}]}"),
    ],
)
def test_it_is_told_and_nothing_is_sent_on(feature: str, spec: str) -> None:
    found = told(f"{feature}: {{extensionRef: {{name: guard}}}}", extension(spec), SECRET)
    policy = [each for each in found if each.key and each.key.kind == "TrafficPolicy"]
    assert [each.path for each in policy] == [f"spec.{feature}.extensionRef"]
    assert "What it applies to is answered 500" in policy[0].message
    assert [each for each in found if each.code == "SER9001"] == []


@pytest.mark.parametrize(
    ("feature", "spec"),
    [
        http("pathPrefix: /check, authorizationRequest: {headersToAdd: {x-a: 100%}}"),
        log_in("redirectURI: 'https://shop.example/back'"),
        grpc("authority: guard.example, requestTimeout: 24h", "statusOnError: 511"),
        proc("messageTimeout: 1h, requestAttributes: [request.path, 'request.headers[\"x\"]']"),
    ],
)
def test_what_envoy_takes_is_taken(feature: str, spec: str) -> None:
    assert told(f"{feature}: {{extensionRef: {{name: guard}}}}", extension(spec), SECRET) == []
