"""Numbers and names that Envoy, or Linux below it, would refuse a cluster or a listener for."""

from __future__ import annotations

import pytest

from serai.api.decode import decode

FAR = "40000s"


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


def hashed(**by: object) -> dict[str, object]:
    return backend(loadBalancer={"ringHash": {"hashPolicies": [by]}})


@pytest.mark.parametrize(
    ("manifest", "path"),
    [
        (backend(tcpKeepalive={"keepAliveProbes": 0}), "tcpKeepalive.keepAliveProbes"),
        (backend(tcpKeepalive={"keepAliveProbes": 128}), "tcpKeepalive.keepAliveProbes"),
        (backend(tcpKeepalive={"keepAliveTime": FAR}), "tcpKeepalive.keepAliveTime"),
        (backend(tcpKeepalive={"keepAliveInterval": FAR}), "tcpKeepalive.keepAliveInterval"),
        (
            backend(commonHttpProtocolOptions={"maxHeadersCount": 0}),
            "commonHttpProtocolOptions.maxHeadersCount",
        ),
        *(
            (backend(http2ProtocolOptions={name: size}), f"http2ProtocolOptions.{name}")
            for name in ("initialStreamWindowSize", "initialConnectionWindowSize")
            for size in (200, "1Ki", "4Gi", "1e999", "1e9999999", "much")
        ),
        (hashed(header={"name": "x\ny"}), "loadBalancer.ringHash.hashPolicies[0].header.name"),
        (hashed(cookie={"name": ""}), "loadBalancer.ringHash.hashPolicies[0].cookie.name"),
    ],
)
def test_a_policy_of_backends_says_which(manifest: object, path: str) -> None:
    assert [each.path for each in decode(manifest).problems] == [f"spec.{path}"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tcpKeepalive.keepAliveProbes", 0),
        ("tcpKeepalive.keepAliveTime", FAR),
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


def test_the_longest_that_there_is_is_taken() -> None:
    keepalive = {"keepAliveProbes": 127, "keepAliveTime": "32767s", "keepAliveInterval": "9h"}
    windows = {"initialStreamWindowSize": "64Ki", "initialConnectionWindowSize": 65535}
    assert decode(backend(tcpKeepalive=keepalive, http2ProtocolOptions=windows)).problems == ()
