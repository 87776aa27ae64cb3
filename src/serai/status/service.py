"""What is said on services: whether the waypoint they ask for has them, and their VIPs.

Istio: the condition istio.io/WaypointBound; ServiceEntry.status.addresses.
"""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.meta import Key, Object
from serai.api.networking import ServiceEntryAddress
from serai.attach.capture import Capture
from serai.attach.verdict import Verdict
from serai.attach.workload_capture import WorkloadCapture
from serai.incremental import Derived, Graph, Node, Reader, Union, mapped
from serai.model.service import Service
from serai.model.vips import Vips
from serai.model.workload import Workload
from serai.status.values import ConditionsStatus, ServiceEntryStatus, condition

WAYPOINT_BOUND = "istio.io/WaypointBound"
WAYPOINT_MISSING = "istio.io/WaypointMissing"
ISTIO_WRITES = frozenset({"Service", "ServiceEntry"})
"""The kinds on which Istio says what became of their waypoint."""
_MISSING = Verdict(
    ok=True,
    reason="NoWaypointForWildcardService",
    message="ServiceEntry will not apply until it is bound to a valid waypoint.",
)


def service_statuses(
    graph: Graph,
    captures: Node[Key, Capture],
    services: Node[Key, Service],
    allocated: Node[Key, Vips],
    objects: tuple[Node[Key, Object], ...],
) -> Derived[Key, ConditionsStatus | ServiceEntryStatus]:
    """The status of each Service and ServiceEntry that wants a waypoint or was given VIPs.

    A Service's VIP is no part of its status.  `objects` are the Services and ServiceEntries.
    """
    # No part of the service itself, which is the same whenever its object is written anew.
    written: Union[Key, Object] = Union(graph, "objects of services", objects)
    generations: Derived[Key, int] = mapped(
        graph, "generations of services", written, lambda _, __, row: _unusual(row)
    )

    def status(
        reader: Reader, key: Key, capture: Capture
    ) -> ConditionsStatus | ServiceEntryStatus | None:
        service = reader.get(services, key)
        if service is None or key.kind not in ISTIO_WRITES:
            return None
        generation = reader.get(generations, key) or 1
        conditions = tuple(
            condition(type_, verdict, generation) for type_, verdict in _said(capture, service)
        )
        vips = reader.get(allocated, key) if key.kind == "ServiceEntry" else None
        if vips is not None and vips.addresses:
            addresses = (ServiceEntryAddress(each.cidr, each.host) for each in vips.addresses)
            return ServiceEntryStatus(conditions, tuple(addresses))
        return ConditionsStatus(conditions) if conditions else None

    return mapped(graph, "statuses of services", captures, status)


def _unusual(written: Object) -> int | None:
    """The generation of an object whose spec has changed."""
    generation = written.metadata.generation
    return generation if generation != 1 else None


def workload_statuses(
    graph: Graph, captures: Node[Key, WorkloadCapture], workloads: Node[Key, Workload]
) -> Derived[Key, ConditionsStatus]:
    """The status of each WorkloadEntry that wants a waypoint.  Istio says nothing on Pods."""

    def status(reader: Reader, key: Key, capture: WorkloadCapture) -> ConditionsStatus | None:
        workload = reader.get(workloads, key)
        if workload is None or key.kind != "WorkloadEntry":
            return None
        return ConditionsStatus((condition(WAYPOINT_BOUND, capture.verdict, workload.generation),))

    return mapped(graph, "statuses of workloads", captures, status)


def _said(capture: Capture, service: Service) -> Iterator[tuple[str, Verdict]]:
    """What Istio says of a service's waypoint; without one nobody can tell a wildcard's hosts."""
    if capture.waypoint is not None:
        yield WAYPOINT_BOUND, capture.verdict
    wild = service.key.kind == "ServiceEntry" and any("*" in host for host in service.hosts)
    if wild and capture.bound_to is None:
        yield WAYPOINT_MISSING, _MISSING
