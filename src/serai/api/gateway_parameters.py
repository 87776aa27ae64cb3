"""GatewayParameters: how the Envoys of a Gateway are deployed.  gateway.kgateway.dev/v1alpha1.

What is Kubernetes' own inside it (probes, tolerations, resources ...) is kept as it was written:
it goes into a Deployment as it is, and the API server checks it there.
"""

from __future__ import annotations

from typing import Any

import msgspec

from serai.api.meta import Object, Struct

Json = dict[str, Any]


class ParametersDeployment(Struct, frozen=True):
    """spec.kube.deployment."""

    replicas: int | None = None
    strategy: Json | None = None


class Image(Struct, frozen=True):
    """spec.kube.envoyContainer.image.  What is not said is as with the default image."""

    registry: str | None = None
    repository: str | None = None
    tag: str | None = None
    digest: str | None = None
    pull_policy: str | None = None


class LogFormat(Struct, frozen=True):
    """spec.kube.envoyContainer.bootstrap.logFormat: one of the two."""

    json: Json | None = None
    text: str | None = None


class DnsResolver(Struct, frozen=True):
    """spec.kube.envoyContainer.bootstrap.dnsResolver."""

    udp_max_queries: int | None = None


class EnvoyBootstrap(Struct, frozen=True):
    """spec.kube.envoyContainer.bootstrap."""

    log_level: str | None = None
    component_log_levels: dict[str, str] = {}
    log_format: LogFormat | None = None
    dns_resolver: DnsResolver | None = None
    enable_readiness_probe_proxy_protocol: bool | None = None


class EnvoyContainer(Struct, frozen=True):
    """spec.kube.envoyContainer."""

    image: Image | None = None
    resources: Json | None = None
    security_context: Json | None = None
    env: tuple[Json, ...] = ()
    extra_args: tuple[str, ...] = ()
    extra_volume_mounts: tuple[Json, ...] = ()
    bootstrap: EnvoyBootstrap | None = None


class GracefulShutdown(Struct, frozen=True):
    """spec.kube.podTemplate.gracefulShutdown."""

    enabled: bool | None = None
    sleep_time_seconds: int | None = None


class PodTemplate(Struct, frozen=True):
    """spec.kube.podTemplate."""

    extra_labels: dict[str, str] = {}
    extra_annotations: dict[str, str] = {}
    security_context: Json | None = None
    image_pull_secrets: tuple[Json, ...] = ()
    node_selector: dict[str, str] = {}
    affinity: Json | None = None
    tolerations: tuple[Json, ...] = ()
    graceful_shutdown: GracefulShutdown | None = None
    termination_grace_period_seconds: int | None = None
    startup_probe: Json | None = None
    readiness_probe: Json | None = None
    liveness_probe: Json | None = None
    topology_spread_constraints: tuple[Json, ...] = ()
    extra_volumes: tuple[Json, ...] = ()
    priority_class_name: str | None = None


class ParametersPort(Struct, frozen=True):
    """spec.kube.service.ports[]."""

    port: int
    node_port: int | None = None


class ParametersService(Struct, frozen=True):
    """spec.kube.service."""

    type: str | None = None
    cluster_ip: str | None = msgspec.field(name="clusterIP", default=None)
    extra_labels: dict[str, str] = {}
    extra_annotations: dict[str, str] = {}
    ports: tuple[ParametersPort, ...] = ()
    external_traffic_policy: str | None = None
    load_balancer_class: str | None = None
    load_balancer_source_ranges: tuple[str, ...] = ()


class ParametersServiceAccount(Struct, frozen=True):
    """spec.kube.serviceAccount."""

    extra_labels: dict[str, str] = {}
    extra_annotations: dict[str, str] = {}


class OverlayMetadata(Struct, frozen=True):
    """metadata of an overlay."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Overlay(Struct, frozen=True):
    """One of spec.kube's overlays: what is merged into an object, or what one is made of."""

    metadata: OverlayMetadata = OverlayMetadata()
    spec: Json | None = None
    """Merged as Kubernetes' strategic merge patch does it."""


class KubeParameters(Struct, frozen=True):
    """spec.kube."""

    deployment: ParametersDeployment | None = None
    envoy_container: EnvoyContainer | None = None
    pod_template: PodTemplate | None = None
    service: ParametersService | None = None
    service_account: ParametersServiceAccount | None = None
    omit_default_security_context: bool | None = None
    deployment_overlay: Overlay | None = None
    service_overlay: Overlay | None = None
    service_account_overlay: Overlay | None = None
    horizontal_pod_autoscaler: Overlay | None = None
    pod_disruption_budget: Overlay | None = None


class GatewayParametersSpec(Struct, frozen=True):
    """GatewayParameters.spec: one of the two."""

    kube: KubeParameters | None = None
    self_managed: Json | None = None
    """There: somebody else deploys the Envoys."""


class GatewayParameters(Object, frozen=True):
    """gateway.kgateway.dev/v1alpha1 GatewayParameters."""

    spec: GatewayParametersSpec = GatewayParametersSpec()
