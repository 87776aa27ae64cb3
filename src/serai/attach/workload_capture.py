"""Which waypoint takes what is sent to a workload's own addresses, whatever the port.

Istio: istio.io/waypoint-for workload or all, on the Gateway or its class.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from serai.api.core import Namespace
from serai.api.gateway import GATEWAY_NAME
from serai.api.meta import Key
from serai.attach.capture import Asking, Wish, bind, wished
from serai.attach.gateways import Proxy
from serai.attach.verdict import Verdict
from serai.incremental import Derived, Graph, Index, Node, Reader, mapped
from serai.ir.origin import Value
from serai.model.addresses import is_elsewhere
from serai.model.waypoint_labels import OPT_OUT
from serai.model.workload import Workload

TRAFFIC = "workload"


class WorkloadCapture(Value, frozen=True):
    """What became of a workload's wish for a waypoint."""

    workload: Key
    verdict: Verdict
    waypoint: Key
    """The one it is bound to, or wants to be bound to."""
    because: str
    """Which label asked for it, and where."""
    addresses: tuple[str, ...]
    in_mesh: bool

    @property
    def bound_to(self) -> Key | None:
        """The waypoint that takes its traffic."""
        return self.waypoint if self.verdict.ok else None


class WorkloadAddress(NamedTuple):
    """An address of captured workloads at a waypoint."""

    waypoint: Key
    address: str


class Captured(Value, frozen=True):
    """Whose an address is."""

    workload: Key
    in_mesh: bool
    """Whether it takes HBONE."""


class WorkloadCaptures(msgspec.Struct, frozen=True):
    """Who of the workloads that ask for a waypoint has one."""

    captures: Node[Key, WorkloadCapture]
    addresses: Node[WorkloadAddress, Captured]


def workload_captures(
    graph: Graph,
    workloads: Node[Key, Workload],
    namespaces: Node[Key, Namespace],
    wishes: Node[Key, Wish],
    proxies: Node[Key, Proxy],
) -> WorkloadCaptures:
    """What became of every workload that asks for a waypoint, and whose each address is."""
    found = _captures(graph, workloads, namespaces, wishes, proxies)
    return WorkloadCaptures(found, _addresses(graph, found))


def _captures(
    graph: Graph,
    workloads: Node[Key, Workload],
    namespaces: Node[Key, Namespace],
    wishes: Node[Key, Wish],
    proxies: Node[Key, Proxy],
) -> Derived[Key, WorkloadCapture]:
    """What became of each.

    One that its Namespace asks for is nothing to a workload if it is for services alone; nor is a
    waypoint to its own Pods.
    """

    def capture(reader: Reader, key: Key, workload: Workload) -> WorkloadCapture | None:
        part = GATEWAY_NAME in dict(workload.labels)
        wish = wished(reader, wishes, key, workload.waypoint)
        if wish.labels is None or wish.labels.name == OPT_OUT or workload.shares_addresses:
            return None
        waypoint = Key("Gateway", wish.labels.namespace or key.namespace, wish.labels.name)
        proxy = reader.get(proxies, waypoint)
        inherited = workload.waypoint is None
        if inherited and (part or proxy is None or not proxy.serves(TRAFFIC)):
            return None
        asking = Asking(key.namespace, part, TRAFFIC)
        verdict = bind(reader, namespaces, asking, waypoint, proxy)
        addresses = tuple(each for each in workload.addresses if is_elsewhere(each))
        in_mesh = workload.in_mesh
        return WorkloadCapture(key, verdict, waypoint, wish.because, addresses, in_mesh)

    return mapped(graph, "captures of workloads", workloads, capture)


def _addresses(
    graph: Graph, captures: Node[Key, WorkloadCapture]
) -> Derived[WorkloadAddress, Captured]:
    """Each address of a captured workload at its waypoint; of two that have one, the first's."""

    def keys(_: Key, capture: WorkloadCapture) -> Iterator[WorkloadAddress]:
        if capture.bound_to is not None:
            yield from (WorkloadAddress(capture.bound_to, each) for each in capture.addresses)

    claims: Index[WorkloadAddress, Key] = Index(graph, "claims of workloads", captures, keys)

    def captured(reader: Reader, _: WorkloadAddress, claimants: Sequence[Key]) -> Captured | None:
        first = reader.get(captures, claimants[0])
        return Captured(first.workload, first.in_mesh) if first else None

    return mapped(graph, "addresses of workloads", claims, captured)
