"""Kubernetes' own kinds: Namespace, Node, Service, EndpointSlice, Pod, Secret, ConfigMap."""

from __future__ import annotations

from typing import Literal

from msgspec import field

from serai.api.meta import Condition, Object, Struct, share_nothing

Transport = Literal["TCP", "UDP", "SCTP"]


class Namespace(Object, frozen=True):
    """v1 Namespace: its labels are what is read."""


class Node(Object, frozen=True):
    """v1 Node: its labels give the locality of the Pods on it."""


class ConfigMap(Object, frozen=True):
    """v1 ConfigMap."""

    data: dict[str, str] = {}
    binary_data: dict[str, str] = {}


class Secret(Object, frozen=True):
    """v1 Secret.  Values are base64, as in the manifest."""

    data: dict[str, str] = {}
    string_data: dict[str, str] = {}
    type: str = "Opaque"

    def __repr__(self) -> str:
        return f"Secret({self.metadata.namespace}/{self.metadata.name}, {len(self.data)} values)"


class ServicePort(Struct, frozen=True):
    """Service.spec.ports[]."""

    port: int
    name: str = ""
    protocol: Transport = "TCP"
    app_protocol: str | None = None
    target_port: int | str | None = None


class ServiceSpec(Struct, frozen=True):
    """Service.spec."""

    ports: tuple[ServicePort, ...] = ()
    selector: dict[str, str] = {}
    cluster_ip: str | None = field(name="clusterIP", default=None)
    cluster_ips: tuple[str, ...] = field(name="clusterIPs", default=())
    type: Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"] = "ClusterIP"
    external_name: str | None = None
    publish_not_ready_addresses: bool = False
    traffic_distribution: str = ""

    def __post_init__(self) -> None:
        share_nothing(self, "selector")


class LoadBalancerIngress(Struct, frozen=True):
    """Service.status.loadBalancer.ingress[]."""

    ip: str | None = None
    hostname: str | None = None


class LoadBalancerStatus(Struct, frozen=True):
    """Service.status.loadBalancer."""

    ingress: tuple[LoadBalancerIngress, ...] = ()


class ServiceStatus(Struct, frozen=True):
    """Service.status."""

    load_balancer: LoadBalancerStatus = LoadBalancerStatus()


class Service(Object, frozen=True):
    """v1 Service."""

    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()


class SliceConditions(Struct, frozen=True):
    """EndpointSlice.endpoints[].conditions; None means unknown, which counts as ready."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class SliceTargetRef(Struct, frozen=True):
    """The object that an endpoint of an EndpointSlice stands for."""

    kind: str = ""
    name: str = ""
    namespace: str = ""


class SliceEndpoint(Struct, frozen=True):
    """EndpointSlice.endpoints[]."""

    addresses: tuple[str, ...] = ()
    conditions: SliceConditions = SliceConditions()
    node_name: str | None = None
    target_ref: SliceTargetRef | None = None
    zone: str | None = None


class SlicePort(Struct, frozen=True):
    """EndpointSlice.ports[]."""

    port: int | None = None
    name: str = ""
    protocol: Transport = "TCP"
    app_protocol: str | None = None


class EndpointSlice(Object, frozen=True):
    """discovery.k8s.io/v1 EndpointSlice; the label kubernetes.io/service-name names its Service."""

    address_type: Literal["IPv4", "IPv6", "FQDN"] = "IPv4"
    endpoints: tuple[SliceEndpoint, ...] = ()
    ports: tuple[SlicePort, ...] = ()


class ContainerPort(Struct, frozen=True):
    """Pod.spec.containers[].ports[]."""

    container_port: int
    name: str = ""
    protocol: Transport = "TCP"


class Container(Struct, frozen=True):
    """Pod.spec.containers[]."""

    name: str = ""
    ports: tuple[ContainerPort, ...] = ()


class PodSpec(Struct, frozen=True):
    """Pod.spec."""

    containers: tuple[Container, ...] = ()
    node_name: str | None = None
    service_account_name: str = "default"
    host_network: bool = False


class PodIP(Struct, frozen=True):
    """Pod.status.podIPs[]."""

    ip: str


class PodStatus(Struct, frozen=True):
    """Pod.status."""

    phase: str | None = None
    pod_ip: str | None = field(name="podIP", default=None)
    pod_ips: tuple[PodIP, ...] = field(name="podIPs", default=())
    conditions: tuple[Condition, ...] = ()


class Pod(Object, frozen=True):
    """v1 Pod."""

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()
