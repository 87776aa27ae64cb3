"""What GatewayParameters cannot say: what an API server or Envoy would refuse later on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

from serai.api.faults import clash, port_faults, wrong
from serai.api.fields_check import nearest_name
from serai.api.gateway_parameters import (
    EnvoyBootstrap,
    EnvoyContainer,
    GatewayParametersSpec,
    KubeParameters,
    Overlay,
    ParametersService,
    PodTemplate,
)
from serai.api.problem import Problem

LOG_LEVELS = ("trace", "debug", "info", "warn", "error", "critical", "off")

_COMPONENTS = """
a2a admin ai_protocol_manager alternate_protocols_cache aws assert backtrace basic_auth
cache_filter client config connection conn_handler compression credential_injector decompression
dns dubbo dynamic_modules envoy_bug ext_authz ext_proc file filter forward_proxy geolocation
golang grpc happy_eyeballs hc health_checker http http2 hystrix init io ip_tagging json_rpc jwt
kafka key_value_store local_rate_limit lua main matcher mcp misc mongo multi_connection
notification oauth2 pool quic quic_stream rate_limit_quota rbac rds redis rocketmq router
runtime secret sse stats stats_sinks tap testing thrift tracing udp upstream wasm websocket
"""
COMPONENTS = frozenset(_COMPONENTS.split())
"""Of Envoy 1.40, as its admin interface lists them: it does not start for another one."""

OWN_ARGUMENTS = (
    *("-c", "--config-path", "--config-yaml", "--service-node", "--service-cluster"),
    *("--disable-hot-restart", "-l", "--log-level", "--component-log-level", "--log-format"),
    *("--drain-strategy", "--mode", "--base-id", "--use-dynamic-base-id", "--restart-epoch"),
)
"""Of Envoy, those that fields are there for and those that would keep it from its Gateway."""

DEFAULT_GRACE_SECONDS = 60
"""Before a Pod that is to end is killed, unless somebody says otherwise."""

_ON_NODES = ("NodePort", "LoadBalancer")
_IMAGE = re.compile(r"[A-Za-z0-9][\w./:@-]*", re.ASCII)
_PATCHES = ("replace", "delete", "merge")
_KUBE = "spec.kube"


def check_gateway_parameters(
    spec: GatewayParametersSpec, service_type: str = ""
) -> Iterator[Problem]:
    """All that is wrong; `service_type` is what the Service is of unless they say."""
    if (spec.kube is None) == (spec.self_managed is None):
        message = "just one of spec.kube and spec.selfManaged must be there"
        yield clash("spec", message, "Write spec.kube, or spec.selfManaged: {}.")
    if spec.kube is None:
        return
    if spec.kube.deployment is not None:
        yield from _at_least_none(f"{_KUBE}.deployment.replicas", spec.kube.deployment.replicas)
    if spec.kube.envoy_container is not None:
        yield from _container(spec.kube.envoy_container, f"{_KUBE}.envoyContainer")
    if spec.kube.pod_template is not None:
        yield from _pod(spec.kube.pod_template, f"{_KUBE}.podTemplate")
    if spec.kube.service is not None:
        yield from _service(spec.kube.service, f"{_KUBE}.service", service_type)
    yield from _overlays(spec.kube)


def _at_least_none(path: str, number: int | None) -> Iterator[Problem]:
    if number is not None and number < 0:
        yield wrong(path, number, "a number of things", "Use 0 or more.")


def _container(container: EnvoyContainer, path: str) -> Iterator[Problem]:
    if container.image is not None:
        for name in ("registry", "repository", "tag", "digest"):
            part = getattr(container.image, name)
            if part and not _IMAGE.fullmatch(part):
                yield wrong(f"{path}.image.{name}", part, f"an image's {name}", "Correct it.")
    for index, argument in enumerate(container.extra_args):
        if argument.partition("=")[0] in OWN_ARGUMENTS:
            message = f"{path}.extraArgs[{index}] is what Serai says itself: {argument}"
            yield clash(f"{path}.extraArgs[{index}]", message, "Remove it; see bootstrap.")
    if container.bootstrap is not None:
        yield from _bootstrap(container.bootstrap, f"{path}.bootstrap")


def _bootstrap(bootstrap: EnvoyBootstrap, path: str) -> Iterator[Problem]:
    levels = {f"{path}.logLevel": bootstrap.log_level or "info"}
    for name, level in bootstrap.component_log_levels.items():
        here = f"{path}.componentLogLevels.{name}"
        levels[here] = level
        if name not in COMPONENTS:
            nearest = nearest_name(name, tuple(COMPONENTS))
            remedy = f"Did you mean {nearest}?" if nearest else "Envoy's /logging lists them."
            yield wrong(here, name, "a component of Envoy", remedy)
    for here, level in levels.items():
        if level not in LOG_LEVELS:
            yield wrong(here, level, "a log level", f"Use one of {', '.join(LOG_LEVELS)}.")
    form = bootstrap.log_format
    if form is not None and (form.json is None) == (form.text is None):
        message = f"just one of json and text must be in {path}.logFormat"
        yield clash(f"{path}.logFormat", message, "Keep one of them.")
    if bootstrap.dns_resolver is not None:
        asked = bootstrap.dns_resolver.udp_max_queries
        yield from _at_least_none(f"{path}.dnsResolver.udpMaxQueries", asked)


def _pod(pod: PodTemplate, path: str) -> Iterator[Problem]:
    grace = pod.termination_grace_period_seconds
    yield from _at_least_none(f"{path}.terminationGracePeriodSeconds", grace)
    shutdown = pod.graceful_shutdown
    sleep = shutdown.sleep_time_seconds if shutdown else None
    here = f"{path}.gracefulShutdown.sleepTimeSeconds"
    yield from _at_least_none(here, sleep)
    longest = DEFAULT_GRACE_SECONDS if grace is None else grace
    if sleep is not None and sleep >= longest and (not shutdown or shutdown.enabled is not False):
        message = f"{here} is {sleep}, and Pods are killed after {longest} seconds"
        yield clash(here, message, "Raise terminationGracePeriodSeconds, or sleep less.")


def _service(service: ParametersService, path: str, default: str) -> Iterator[Problem]:
    kind = service.type or default
    if kind and kind not in ("ClusterIP", *_ON_NODES):
        remedy = "Use ClusterIP, NodePort or LoadBalancer."
        yield wrong(f"{path}.type", kind, "a type by which Envoys are reached", remedy)
    if service.cluster_ip not in (None, "", "None") and not _is_ip(service.cluster_ip or ""):
        yield wrong(f"{path}.clusterIP", service.cluster_ip, "an IP address", "Correct it.")
    for index, cidr in enumerate(service.load_balancer_source_ranges):
        if not _is_range(cidr):
            here = f"{path}.loadBalancerSourceRanges[{index}]"
            yield wrong(here, cidr, "a range of addresses", "Write it as 192.0.2.0/24.")
    for index, port in enumerate(service.ports):
        yield from port_faults(f"{path}.ports[{index}].port", port.port)
        yield from port_faults(f"{path}.ports[{index}].nodePort", port.node_port)
    if not kind:
        return
    asked = {
        "externalTrafficPolicy": (service.external_traffic_policy, _ON_NODES),
        "ports": (any(each.node_port for each in service.ports), _ON_NODES),
        "loadBalancerClass": (service.load_balancer_class, _ON_NODES[1:]),
        "loadBalancerSourceRanges": (service.load_balancer_source_ranges, _ON_NODES[1:]),
    }
    for name, (value, kinds) in asked.items():
        if value and kind not in kinds:
            message = f"{path}.{name} is for a Service of type {' or '.join(kinds)}, not {kind}"
            yield clash(f"{path}.{name}", message, f"Remove it, or set {path}.type.")


def _overlays(kube: KubeParameters) -> Iterator[Problem]:
    overlays = {
        "deploymentOverlay": kube.deployment_overlay,
        "serviceOverlay": kube.service_overlay,
        "serviceAccountOverlay": kube.service_account_overlay,
        "horizontalPodAutoscaler": kube.horizontal_pod_autoscaler,
        "podDisruptionBudget": kube.pod_disruption_budget,
    }
    for name, overlay in overlays.items():
        if overlay is not None:
            yield from _directives(overlay.spec, f"{_KUBE}.{name}.spec")
    yield from _scaling(kube.horizontal_pod_autoscaler, kube.pod_disruption_budget)


def _scaling(scaler: Overlay | None, budget: Overlay | None) -> Iterator[Problem]:
    if scaler is not None and not isinstance((scaler.spec or {}).get("maxReplicas"), int):
        here = f"{_KUBE}.horizontalPodAutoscaler.spec.maxReplicas"
        yield clash(here, f"{here} is missing", "Say how many Envoys there may be.")
    if budget is not None:
        asked = {"minAvailable", "maxUnavailable"} & (budget.spec or {}).keys()
        if len(asked) != 1:
            here = f"{_KUBE}.podDisruptionBudget.spec"
            message = f"just one of minAvailable and maxUnavailable must be in {here}"
            yield clash(here, message, "Write one of them.")


def _directives(value: Any, path: str) -> Iterator[Problem]:
    """What of a strategic merge patch is not done."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _directives(each, f"{path}[{index}]")
    if not isinstance(value, dict):
        return
    for name, below in value.items():
        here = f"{path}.{name}"
        if name == "$patch":
            if below not in _PATCHES:
                yield wrong(here, below, "a directive", f"Use {', '.join(_PATCHES)}.")
        elif name.startswith("$"):
            yield wrong(here, name, "a directive that Serai follows", "Write the whole list.")
        else:
            yield from _directives(below, here)


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_range(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True
