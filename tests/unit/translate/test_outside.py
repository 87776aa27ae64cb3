"""Numbers that a field of a policy cannot have, which an API server would have refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from serai.app.offline import load
from serai.model.settings import Settings

WORLD = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: g, namespace: d}}
spec:
  gatewayClassName: serai
  listeners: [{{name: http, port: 8080, protocol: HTTP}}]
---
apiVersion: v1
kind: Service
metadata: {{name: s, namespace: d}}
spec: {{clusterIP: 10.0.0.1, ports: [{{name: http, port: 80}}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: r, namespace: d}}
spec:
  parentRefs: [{{name: g}}]
  rules: [{{backendRefs: [{{name: s, port: 80}}]}}]
---
apiVersion: gateway.kgateway.dev/v1alpha1
kind: {kind}
metadata: {{name: p, namespace: d}}
spec: {spec}
"""
ROUTE = "targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: r}]"
CHECK = "timeout: 1s, interval: 1s, healthyThreshold: 1, unhealthyThreshold: 1"
BUCKET = "maxTokens: 9999999999, fillInterval: 1s"


def problems(folder: Path, kind: str, spec: str) -> list[tuple[str, str, str]]:
    (folder / "world.yaml").write_text(WORLD.format(kind=kind, spec=spec))
    return [(each.code, each.path, each.message) for each in load([folder], Settings()).problems]


@pytest.mark.parametrize(
    ("written", "path", "limits"),
    [
        ("csrf: {percentageEnabled: -1}", "csrf.percentageEnabled", "0 to 100"),
        ("csrf: {percentageShadowed: 101}", "csrf.percentageShadowed", "0 to 100"),
        (
            "faultInjection: {abort: {httpStatus: 9999999999}}",
            "faultInjection.abort.httpStatus",
            "200 to 599",
        ),
        (
            "faultInjection: {delay: {fixedDelay: 1s, percentage: 500}}",
            "faultInjection.delay.percentage",
            "0 to 100",
        ),
        (
            "rateLimit: {local: {tokenBucket: {" + BUCKET + "}}}",
            "rateLimit.local.tokenBucket.maxTokens",
            "1 to 4294967295",
        ),
        (
            "retry: {retryOn: [retriable-status-codes], statusCodes: [503, 70]}",
            "retry.statusCodes[1]",
            "400 to 599",
        ),
    ],
)
def test_it_is_told_and_the_feature_left_out(
    tmp_path: Path, written: str, path: str, limits: str
) -> None:
    ((code, where, message),) = problems(tmp_path, "TrafficPolicy", f"{{{ROUTE}, {written}}}")
    assert (code, where) == ("SER1002", f"spec.{path}")
    assert f"is not a number from {limits}" in message


def test_a_gateway_extension_is_refused(tmp_path: Path) -> None:
    spec = "{extAuth: {statusOnError: 9999999999, grpcService: {backendRef: {name: s, port: 80}}}}"
    found = problems(tmp_path, "GatewayExtension", spec)
    assert [each[:2] for each in found] == [("SER0102", "spec.extAuth.statusOnError")]


@pytest.mark.parametrize(
    ("written", "code", "path"),
    [
        (
            "loadBalancer: {roundRobin: {slowStart: {window: 1s, aggression: 2x}}}",
            "SER0102",
            "spec.loadBalancer.roundRobin.slowStart.aggression",
        ),
        ("tcpKeepalive: {keepAliveTime: 9999999h}", "SER0102", "spec.tcpKeepalive.keepAliveTime"),
        (
            "healthCheck: {" + CHECK + ", http: {path: /, method: BREW}}",
            "SER0102",
            "spec.healthCheck.http.method",
        ),
    ],
)
def test_a_policy_for_clusters_is_refused(
    tmp_path: Path, written: str, code: str, path: str
) -> None:
    spec = f"{{targetRefs: [{{group: '', kind: Service, name: s}}], {written}}}"
    found = problems(tmp_path, "BackendConfigPolicy", spec)
    assert [each[:2] for each in found] == [(code, path)]
