"""GatewayParameters over the objects that a Gateway is deployed as.

Pure.  Every field becomes a part of a strategic merge patch, so that what it does not say stays as
it is, and overlays, which are such patches, come after it in the same way.
"""

from __future__ import annotations

from typing import Any

from serai.api.gateway import GATEWAY_NAME
from serai.api.gateway_parameters import (
    EnvoyContainer,
    KubeParameters,
    Overlay,
    ParametersService,
    PodTemplate,
)
from serai.kube.ending import wait
from serai.kube.image import image_with
from serai.kube.strategic import DIRECTIVE, merge

Json = dict[str, Any]

MANAGED_BY = "app.kubernetes.io/managed-by"

_HANDLERS = frozenset({"exec", "grpc", "httpGet", "tcpSocket"})
_CONTAINER = "envoy"


def shaped_account(account: Json, kube: KubeParameters) -> Json:
    """The ServiceAccount, as it is asked for."""
    asked = kube.service_account
    extra = _metadata(asked.extra_labels, asked.extra_annotations) if asked else {}
    return _overlaid(_decorated(account, extra), kube.service_account_overlay)


def shaped_service(service: Json, kube: KubeParameters) -> Json:
    """The Service, as it is asked for."""
    if kube.service is not None:
        asked = kube.service
        extra = _metadata(asked.extra_labels, asked.extra_annotations)
        service = _decorated(merge(service, {"spec": _service(asked, service)}), extra)
    return _overlaid(service, kube.service_overlay)


def shaped_deployment(deployment: Json, kube: KubeParameters) -> Json:
    """The Deployment, as it is asked for."""
    spec: Json = {}
    if kube.deployment is not None and kube.deployment.replicas is not None:
        spec["replicas"] = kube.deployment.replicas
    if kube.deployment is not None and kube.deployment.strategy is not None:
        spec["strategy"] = {"$patch": "replace", **kube.deployment.strategy}
    if kube.horizontal_pod_autoscaler is not None:
        spec["replicas"] = None  # it is the autoscaler's to say
    found = merge(deployment, {"spec": spec})
    if kube.omit_default_security_context:
        pod: Json = {"securityContext": None}
        pod["containers"] = [{"name": _CONTAINER, "securityContext": None}]
        found = merge(found, {"spec": {"template": {"spec": pod}}})
    if kube.envoy_container is not None:
        found = _with_container(found, kube.envoy_container)
    if kube.pod_template is not None:
        found = _with_pod(found, kube.pod_template)
    return _overlaid(found, kube.deployment_overlay)


def _with_container(deployment: Json, asked: EnvoyContainer) -> Json:
    (own,) = _pod_of(deployment)["containers"]
    patch: Json = {
        "name": _CONTAINER,
        "resources": asked.resources,
        "securityContext": asked.security_context,
        "env": list(asked.env),
        "volumeMounts": list(asked.extra_volume_mounts),
        "args": [*own["args"], *_arguments(asked), *asked.extra_args],
    }
    if asked.image is not None:
        patch["image"] = image_with(own["image"], asked.image)
        patch["imagePullPolicy"] = asked.image.pull_policy
    return _pod_merged(deployment, {"containers": [_said(patch)]})


def _arguments(asked: EnvoyContainer) -> list[str]:
    """Envoy's, of bootstrap's fields that are no part of a bootstrap."""
    found: list[str] = []
    bootstrap = asked.bootstrap
    if bootstrap is None:
        return found
    if bootstrap.log_level:
        found += ["--log-level", bootstrap.log_level]
    if bootstrap.component_log_levels:
        levels = sorted(bootstrap.component_log_levels.items())
        found += ["--component-log-level", ",".join(f"{name}:{level}" for name, level in levels)]
    if bootstrap.log_format is not None and bootstrap.log_format.text is not None:
        found += ["--log-format", bootstrap.log_format.text]
    return found


def _with_pod(deployment: Json, asked: PodTemplate) -> Json:
    patch: Json = {
        "securityContext": asked.security_context,
        "imagePullSecrets": list(asked.image_pull_secrets),
        "nodeSelector": asked.node_selector,
        "affinity": asked.affinity,
        "tolerations": list(asked.tolerations),
        "terminationGracePeriodSeconds": asked.termination_grace_period_seconds,
        "topologySpreadConstraints": list(asked.topology_spread_constraints),
        "volumes": list(asked.extra_volumes),
        "priorityClassName": asked.priority_class_name,
    }
    container: Json = {
        "name": _CONTAINER,
        "startupProbe": _probe(asked.startup_probe),
        "readinessProbe": _probe(asked.readiness_probe),
        "livenessProbe": _probe(asked.liveness_probe),
    }
    found = _pod_merged(deployment, {**_said(patch), "containers": [_said(container)]})
    found = _with_end(found, asked)
    template = found["spec"]["template"]
    extra = _metadata(asked.extra_labels, asked.extra_annotations)
    return {**found, "spec": {**found["spec"], "template": _decorated(template, extra)}}


def _probe(asked: Json | None) -> Json | None:
    """Where it says how to ask, all of it counts; else only what it says."""
    if asked and not _HANDLERS.isdisjoint(asked):
        return {"$patch": "replace", **asked}
    return asked


def _with_end(deployment: Json, asked: PodTemplate) -> Json:
    shutdown = asked.graceful_shutdown
    if shutdown is None:
        return deployment
    patch: Json = {"name": _CONTAINER}
    if shutdown.enabled is False or shutdown.sleep_time_seconds == 0:
        patch["lifecycle"] = {"preStop": None}
    elif shutdown.sleep_time_seconds is not None:
        headers = [wait(shutdown.sleep_time_seconds)]
        patch["lifecycle"] = {"preStop": {"httpGet": {"httpHeaders": headers}}}
    return _pod_merged(deployment, {"containers": [patch]})


def _service(asked: ParametersService, service: Json) -> Json:
    numbers = {each.port: each.node_port for each in asked.ports if each.node_port is not None}
    ports = [
        {**port, "nodePort": numbers[port["port"]]} if port["port"] in numbers else port
        for port in service["spec"]["ports"]
    ]
    patch: Json = {
        "type": asked.type,
        "clusterIP": asked.cluster_ip,
        "ports": ports,
        "externalTrafficPolicy": asked.external_traffic_policy,
        "loadBalancerClass": asked.load_balancer_class,
        "loadBalancerSourceRanges": list(asked.load_balancer_source_ranges),
    }
    found = _said(patch)
    if found.get("type") not in (None, "LoadBalancer"):
        found["loadBalancerIP"] = None
    return found


def _overlaid(obj: Json, overlay: Overlay | None) -> Json:
    """An object with an overlay; what it is known by stays."""
    if overlay is None:
        return obj
    labels = obj["metadata"]["labels"]
    known_by = {name: labels[name] for name in (GATEWAY_NAME, MANAGED_BY)}
    metadata = {
        "labels": {**overlay.metadata.labels, **known_by},
        "annotations": overlay.metadata.annotations,
    }
    patch = overlay.spec or {}
    # A ServiceAccount has no spec: what it has stands beside its metadata, which stays.
    beside = {name: each for name, each in patch.items() if name != DIRECTIVE}
    spec = {"spec": patch} if "spec" in obj else beside
    found: Json = merge(obj, {**spec, "metadata": metadata})
    return found


def _decorated(obj: Json, extra: Json) -> Json:
    """An object with more labels and annotations; what it has comes before them."""
    return {**obj, "metadata": merge(extra, obj["metadata"])}


def _metadata(labels: dict[str, str], annotations: dict[str, str]) -> Json:
    return {"labels": labels, "annotations": annotations}


def _pod_of(deployment: Json) -> Json:
    found: Json = deployment["spec"]["template"]["spec"]
    return found


def _pod_merged(deployment: Json, patch: Json) -> Json:
    found: Json = merge(deployment, {"spec": {"template": {"spec": patch}}})
    return found


def _said(patch: Json) -> Json:
    """What is said of it; null would remove what is there."""
    return {name: value for name, value in patch.items() if value not in (None, {}, [])}
