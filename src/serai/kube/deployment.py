"""What a Gateway's Envoys are made of in a cluster: four objects, owned by the Gateway.

Pure.  Gateway API: GatewaySpec.infrastructure.  Istio: what makes a waypoint's Pods known as such.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec

from serai.api.gateway import Gateway
from serai.attach.gateways import Proxy, Role
from serai.kube.ending import DRAIN_ARGUMENTS, GRACE_SECONDS, drained
from serai.kube.resource import Resource

Json = dict[str, Any]

GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name"
MESH_PORT = 15008
READY_PORT = 15021
"""Where a bootstrap answers the kubelet (serai.envoy.pod_bootstrap)."""
USER = 10101
"""No user of any image; not root."""

LONGEST_NAME = 63
"""Of a Service, which all four are named as."""

RESOURCES = (
    Resource("", "v1", "serviceaccounts", "ServiceAccount"),
    Resource("", "v1", "configmaps", "ConfigMap"),
    Resource("", "v1", "services", "Service"),
    Resource("apps", "v1", "deployments", "Deployment"),
)
"""In the order in which they are made."""


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """How the Envoys of all Gateways are deployed."""

    image: str
    replicas: int = 1


def name_of(gateway: str) -> str:
    """What the objects of a Gateway are named; the same for no two Gateways of a namespace."""
    if len(gateway) <= LONGEST_NAME:
        return gateway
    digest = sha256(gateway.encode()).hexdigest()[:10]
    return f"{gateway[: LONGEST_NAME - 11].rstrip('-.')}-{digest}"


def objects(
    proxy: Proxy, gateway: Gateway, uid: str, config: str, how: Deployment
) -> tuple[Json, ...]:
    """The objects, one for each of RESOURCES; `uid` is the Gateway's, `config` the bootstrap."""
    name = name_of(proxy.key.name)
    digest = sha256(config.encode()).hexdigest()[:16]
    specs: tuple[Json, ...] = (
        {"automountServiceAccountToken": False},
        {"data": {"bootstrap.json": config}},
        {"spec": _service(proxy)},
        {"spec": _deployment(proxy, gateway, uid, digest, how)},
    )
    metadata = {
        "name": name,
        "namespace": proxy.key.namespace,
        "labels": _labels(proxy, gateway),
        "annotations": dict(gateway.spec.infrastructure.annotations)
        if gateway.spec.infrastructure
        else {},
        "ownerReferences": [_owner(proxy, uid)],
    }
    return tuple({"metadata": metadata, **spec} for spec in specs)


def _owner(proxy: Proxy, uid: str) -> Json:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "name": proxy.key.name,
        "uid": uid,
        "controller": True,
    }


def _labels(proxy: Proxy, gateway: Gateway) -> dict[str, str]:
    asked = gateway.spec.infrastructure.labels if gateway.spec.infrastructure else {}
    return {**asked, **_selector(proxy), "app.kubernetes.io/managed-by": "serai"}


def _selector(proxy: Proxy) -> dict[str, str]:
    # A label's value is no longer than a name may be here.
    return {GATEWAY_NAME: name_of(proxy.key.name)}


def _service(proxy: Proxy) -> Json:
    ports = {each.port: each.name for each in proxy.listeners if each.protocol != "UDP"}
    waypoint = proxy.role is Role.WAYPOINT
    if waypoint:
        # ztunnel names a waypoint by its Service and this port, whichever way it then comes in.
        ports.setdefault(MESH_PORT, "mesh")
    return {
        "type": "ClusterIP" if waypoint else "LoadBalancer",
        "selector": _selector(proxy),
        "ports": [
            {"name": f"p-{port}", "port": port, "targetPort": port, "protocol": "TCP"}
            for port in sorted(ports)
        ],
    }


def _deployment(proxy: Proxy, gateway: Gateway, uid: str, digest: str, how: Deployment) -> Json:
    name = name_of(proxy.key.name)
    infrastructure = gateway.spec.infrastructure
    labels, annotations = _labels(proxy, gateway), {"serai.dev/bootstrap": digest}
    annotations |= infrastructure.annotations if infrastructure else {}
    if proxy.role is Role.WAYPOINT:
        labels["istio.io/dataplane-mode"] = "ambient"
        # Its own look-ups answered with VIPs would lead back to it.
        annotations["ambient.istio.io/dns-capture"] = "false"
    pod = {
        "serviceAccountName": name,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
            # Listeners may be at 80 and 443, without any capability.
            "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
        },
        "containers": [_container(how, uid)],
        "volumes": [{"name": "bootstrap", "configMap": {"name": name}}],
    }
    return {
        "replicas": how.replicas,
        "selector": {"matchLabels": _selector(proxy)},
        "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {"metadata": {"labels": labels, "annotations": annotations}, "spec": pod},
    }


def _container(how: Deployment, uid: str) -> Json:
    probe = {"httpGet": {"path": "/ready", "port": READY_PORT}, "periodSeconds": 5}
    return {
        "name": "envoy",
        "image": how.image,
        "args": [
            "-c",
            "/etc/envoy/bootstrap.json",
            "--service-node",
            "$(POD)",
            "--disable-hot-restart",
            *DRAIN_ARGUMENTS,
        ],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "POD", "value": "$(POD_NAME).$(NAMESPACE)"},
        ],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "ports": [{"name": "ready", "containerPort": READY_PORT}],
        "startupProbe": {**probe, "periodSeconds": 1, "failureThreshold": 120},
        "readinessProbe": probe,
        "lifecycle": {"preStop": drained(uid, READY_PORT)},
        "volumeMounts": [{"name": "bootstrap", "mountPath": "/etc/envoy", "readOnly": True}],
    }
