"""Istio's networking.istio.io kinds: ServiceEntry, WorkloadEntry."""

from __future__ import annotations

from typing import Literal

from serai.api.meta import Condition, Object, Struct, share_nothing

GROUP = "networking.istio.io"

ALLOCATE = "networking.istio.io/enable-autoallocate-ip"
"""The label of a ServiceEntry that is to get no VIP where it says false, in any case."""
USE_WAYPOINT = "istio.io/use-waypoint"
"""The label of what a waypoint is to capture: it names the waypoint, or says ``none``."""

ResolutionName = Literal["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"]


class ServiceEntryPort(Struct, frozen=True):
    """ServiceEntry.spec.ports[]."""

    number: int
    name: str = ""
    protocol: str = ""
    target_port: int | None = None


class WorkloadEntrySpec(Struct, frozen=True):
    """WorkloadEntry.spec, and ServiceEntry.spec.endpoints[]."""

    address: str = ""
    ports: dict[str, int] = {}
    labels: dict[str, str] = {}
    network: str = ""
    locality: str = ""
    weight: int = 0
    """0 counts as 1."""
    service_account: str = ""

    def __post_init__(self) -> None:
        share_nothing(self, "ports", "labels")


class WorkloadSelector(Struct, frozen=True):
    """ServiceEntry.spec.workloadSelector."""

    labels: dict[str, str] = {}


class ServiceEntrySpec(Struct, frozen=True):
    """ServiceEntry.spec."""

    hosts: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    ports: tuple[ServiceEntryPort, ...] = ()
    location: Literal["MESH_EXTERNAL", "MESH_INTERNAL"] = "MESH_EXTERNAL"
    resolution: ResolutionName = "NONE"
    endpoints: tuple[WorkloadEntrySpec, ...] = ()
    workload_selector: WorkloadSelector | None = None
    export_to: tuple[str, ...] = ()
    subject_alt_names: tuple[str, ...] = ()


class ServiceEntryAddress(Struct, frozen=True):
    """ServiceEntry.status.addresses[]: an allocated VIP, for one host or (no host) for all."""

    value: str
    host: str = ""


class ServiceEntryStatus(Struct, frozen=True):
    """ServiceEntry.status."""

    addresses: tuple[ServiceEntryAddress, ...] = ()


class ServiceEntry(Object, frozen=True):
    """networking.istio.io/v1 ServiceEntry."""

    spec: ServiceEntrySpec
    status: ServiceEntryStatus = ServiceEntryStatus()


class WorkloadEntryStatus(Struct, frozen=True):
    """WorkloadEntry.status."""

    conditions: tuple[Condition, ...] = ()


class WorkloadEntry(Object, frozen=True):
    """networking.istio.io/v1 WorkloadEntry."""

    spec: WorkloadEntrySpec
    status: WorkloadEntryStatus = WorkloadEntryStatus()
