"""What a Gateway's Envoys are made of in a cluster: objects that are owned by the Gateway.

Pure.  Gateway API: GatewaySpec.infrastructure.  Istio: what makes a waypoint's Pods known as such.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

from serai.api.gateway import GATEWAY_NAME, Gateway
from serai.api.gateway_parameters import KubeParameters
from serai.attach.deployment import Port, Wish, service_type
from serai.attach.gateways import Proxy, Role
from serai.kube.ending import DRAIN_ARGUMENTS, GRACE_SECONDS, drained
from serai.kube.resource import Resource
from serai.kube.scaling import AUTOSCALERS, BUDGETS, autoscaler, budget
from serai.kube.shape import (
    MANAGED_BY,
    shaped_account,
    shaped_deployment,
    shaped_service,
)

Json = dict[str, Any]

MESH_PORT = 15008
READY_PORT = 15021
"""Where a bootstrap answers the kubelet (serai.envoy.pod_bootstrap)."""
USER = 10101
"""No user of any image; not root."""

LONGEST_NAME = 63
"""Of a Service, which all four are named as; and of a label's value."""
_SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
"""RFC 1035.  Newer API servers take a digit at the beginning as well."""

RESOURCES = (
    Resource("", "v1", "serviceaccounts", "ServiceAccount"),
    Resource("", "v1", "configmaps", "ConfigMap"),
    Resource("", "v1", "services", "Service"),
    Resource("apps", "v1", "deployments", "Deployment"),
)
"""What each Gateway has, in the order in which it is made."""

Objects = tuple[tuple[Resource, Json | None], ...]
"""In the order in which they are made; None: there is to be none."""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token of the Pod's ServiceAccount, which the kubelet keeps new."""

    audience: str
    folder: str
    file: str
    seconds: int = 3600


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """How the Envoys of all Gateways are deployed."""

    image: str
    replicas: int = 1
    files: Mapping[str, str] = {}
    """What else is beside the bootstrap."""
    token: Token | None = None
    """With which they prove who they are; None: not at all."""


def name_of(gateway: str) -> str:
    """What the objects of a Gateway are named; the same for no two Gateways of a namespace.

    A Gateway's name may be long, have dots and begin with a digit, which a Service's may not.
    """
    if len(gateway) <= LONGEST_NAME and _SERVICE_NAME.fullmatch(gateway):
        return gateway
    digest = sha256(gateway.encode()).hexdigest()[:10]
    plain = gateway.replace(".", "-")
    start = plain if plain[0].isalpha() else f"gw-{plain}"
    return f"{start[: LONGEST_NAME - 11].rstrip('-')}-{digest}"


def objects(
    proxy: Proxy, gateway: Gateway, uid: str, config: str, how: Deployment, wish: Wish
) -> Objects:
    """All that a Gateway has and may have; `uid` is the Gateway's, `config` the bootstrap."""
    name = name_of(proxy.key.name)
    digest = sha256(config.encode()).hexdigest()[:16]
    metadata = {
        "name": name,
        "namespace": proxy.key.namespace,
        "labels": _labels(proxy, gateway),
        "annotations": dict(gateway.spec.infrastructure.annotations)
        if gateway.spec.infrastructure
        else {},
        "ownerReferences": [_owner(proxy, uid)],
    }
    kube = wish.spec.kube or KubeParameters()
    account, config_map, service, deployment = (
        {"metadata": metadata, **each}
        for each in (
            {"automountServiceAccountToken": False},
            {"data": {"bootstrap.json": config, **how.files}},
            {"spec": _service(proxy, gateway, wish)},
            {"spec": _deployment(proxy, gateway, uid, digest, how)},
        )
    )
    shaped = (
        shaped_account(account, kube),
        config_map,
        shaped_service(service, kube),
        shaped_deployment(deployment, kube),
    )
    scaler, limit = kube.horizontal_pod_autoscaler, kube.pod_disruption_budget
    return (
        *zip(RESOURCES, shaped, strict=True),
        (AUTOSCALERS, autoscaler(metadata, scaler) if scaler else None),
        (BUDGETS, budget(metadata, limit, _selector(proxy)) if limit else None),
    )


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
    return {**asked, **_selector(proxy), MANAGED_BY: "serai"}


def _selector(proxy: Proxy) -> dict[str, str]:
    # A label's value may have dots, but be no longer than a name may be here.
    name = proxy.key.name
    return {GATEWAY_NAME: name if len(name) <= LONGEST_NAME else name_of(name)}


def _service(proxy: Proxy, gateway: Gateway, wish: Wish) -> Json:
    ports = {(each.number, each.protocol): each for each in wish.ports}
    waypoint = proxy.role is Role.WAYPOINT
    if waypoint:
        # ztunnel names a waypoint by its Service and this port, whichever way it then comes in.
        ports[MESH_PORT, "TCP"] = Port(MESH_PORT, tunnels=True)
    # A load balancer can be asked for one; which it has is said in the Gateway's status.
    asked = next((each.value for each in gateway.spec.addresses if each.value), "")
    wanted = {"loadBalancerIP": asked} if asked and not waypoint else {}
    return {
        **wanted,
        "type": service_type(proxy),
        "selector": _selector(proxy),
        "ports": [_port(port) for _, port in sorted(ports.items())],
    }


def _port(port: Port) -> Json:
    name = f"p-{port.number}" if port.protocol == "TCP" else f"p-{port.number}-udp"
    # Of HTTP it is not said: Azure's load balancers would ask "/" whether a Gateway is well.
    spoken = {"appProtocol": "hbone"} if port.tunnels else {}
    return {
        **spoken,
        "name": name,
        "port": port.number,
        "targetPort": port.number,
        "protocol": port.protocol,
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
        "volumes": [{"name": "bootstrap", "configMap": {"name": name}}, *_token_volume(how)],
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
        "volumeMounts": [
            {"name": "bootstrap", "mountPath": "/etc/envoy", "readOnly": True},
            *_token_mount(how),
        ],
    }


def _token_volume(how: Deployment) -> list[Json]:
    if how.token is None:
        return []
    asked = {
        "audience": how.token.audience,
        "expirationSeconds": how.token.seconds,
        "path": how.token.file,
    }
    return [{"name": "token", "projected": {"sources": [{"serviceAccountToken": asked}]}}]


def _token_mount(how: Deployment) -> list[Json]:
    if how.token is None:
        return []
    return [{"name": "token", "mountPath": how.token.folder, "readOnly": True}]
