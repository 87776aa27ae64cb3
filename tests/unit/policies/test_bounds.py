"""Numbers and names that Envoy, or Linux below it, would refuse a cluster or a listener for."""

from __future__ import annotations

from typing import Any

import pytest

from serai.api.bounds import keepalive_probes, keepalive_seconds
from serai.api.decode import decode
from serai.proto.envoy import Cluster
from serai.xds.resource import ResourceType
from unit.policies.one_policy import told, world_with


def policy(kind: str, **spec: object) -> dict[str, object]:
    target = {"group": "networking.istio.io", "kind": "ServiceEntry", "name": "pay"}
    return {
        "apiVersion": "gateway.kgateway.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": "odd", "namespace": "shop"},
        "spec": {"targetRefs": [target], **spec},
    }


def backend(**spec: object) -> dict[str, object]:
    return policy("BackendConfigPolicy", **spec)


@pytest.mark.parametrize(
    ("manifest", "path"),
    [
        *(
            (backend(http2ProtocolOptions={name: size}), f"http2ProtocolOptions.{name}")
            for name in ("initialStreamWindowSize", "initialConnectionWindowSize")
            for size in (200, "1Ki", "4Gi", "1e999", "1e9999999", "much")
        ),
    ],
)
def test_a_policy_of_backends_says_which(manifest: object, path: str) -> None:
    assert [each.path for each in decode(manifest).problems] == [f"spec.{path}"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("httpSettings.maxRequestHeadersKb", 8193),
        ("httpSettings.http2ProtocolOptions.maxConcurrentStreams", 2**31),
    ],
)
def test_a_policy_of_listeners_does_likewise(field: str, value: object) -> None:
    written = value
    for name in reversed(field.split(".")):
        written = {name: written}
    manifest = policy("ListenerPolicy", default=written)
    assert [each.path for each in decode(manifest).problems] == [f"spec.default.{field}"]


def test_the_least_that_there_is_is_taken() -> None:
    windows = {"initialStreamWindowSize": "64Ki", "initialConnectionWindowSize": 65535}
    assert decode(backend(http2ProtocolOptions=windows)).problems == ()


def test_what_a_definition_admits_is_brought_to_what_linux_and_envoy_can_do() -> None:
    assert (keepalive_seconds("100h"), keepalive_seconds("9h")) == (32767, 32400)
    assert [keepalive_probes(each) for each in (None, 0, 1, 127, 500)] == [None, None, 1, 127, 127]
    check = """healthCheck: {http: {path: ""}, timeout: 1s, interval: 1s,
        unhealthyThreshold: 1, healthyThreshold: 1}"""
    cluster = cluster_with(
        f"""tcpKeepalive: {{keepAliveProbes: 500, keepAliveTime: 100h}}, {check},
        commonHttpProtocolOptions: {{maxHeadersCount: 0}}"""
    )
    keepalive = cluster.upstream_connection_options.tcp_keepalive
    assert (keepalive.keepalive_probes.value, keepalive.keepalive_time.value) == (127, 32767)
    assert cluster.health_checks[0].http_health_check.path == "/"
    assert not cluster.typed_extension_protocol_options


def cluster_with(spec: str) -> Any:
    """What Envoy is told of the service with this BackendConfigPolicy."""
    core = world_with(f"""
        apiVersion: gateway.kgateway.dev/v1alpha1
        kind: BackendConfigPolicy
        metadata: {{name: odd, namespace: shop}}
        spec:
          {{targetRefs: [{{group: networking.istio.io, kind: ServiceEntry, name: pay}}], {spec}}}
    """)
    bodies = [
        each.body
        for key, each in core.pipeline.snapshot.items()
        if key.type is ResourceType.CLUSTER and "pay.example" in key.name
    ]
    return Cluster.FromString(bodies[0])


@pytest.mark.parametrize("by", ['header: {name: "x\\ny"}', "cookie: {name: a b}"])
def test_what_is_no_name_to_hash_by_closes_the_cluster(by: str) -> None:
    found = told(
        f"loadBalancer: {{maglev: {{hashPolicies: [{{{by}}}]}}}}", kind="BackendConfigPolicy"
    )
    assert [each.path for each in found] == ["spec.loadBalancer"]
