"""A Gateway and its class, as an API server tells them."""

from __future__ import annotations

from typing import Any

CLASS = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "GatewayClass",
    "metadata": {"name": "serai"},
    "spec": {"controllerName": "serai.dev/gateway-controller"},
}


def gateway(name: str, **annotations: str) -> dict[str, Any]:
    tls = {"certificateRefs": [{"name": f"{name}-tls"}]}
    listener = {"name": "https", "port": 443, "protocol": "HTTPS", "tls": tls}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {
            "name": name,
            "namespace": "infra",
            "annotations": {key.replace("_", "/"): value for key, value in annotations.items()},
        },
        "spec": {"gatewayClassName": "serai", "listeners": [listener]},
    }
