"""SER06: endpoints that cannot be sent to."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.meta import Key
from serai.api.networking import ServiceEntry, WorkloadEntry
from serai.api.problem import Problem
from serai.check.problems import ProblemKey, keyed
from serai.incremental import Derived, Graph, Node, Reader
from serai.model.addresses import SOCKET, with_port
from serai.model.networks import Networks
from serai.model.own import is_own
from serai.model.settings import Settings


def inline_problems(
    graph: Graph, entries: Node[Key, ServiceEntry], networks: Networks, settings: Settings
) -> Derived[ProblemKey, Problem]:
    """Endpoints in ServiceEntries that have a network and no address, or are places of ours."""
    closed = frozenset(settings.closed_ports)

    def rows(reader: Reader, key: Key, entry: ServiceEntry) -> Iterator[tuple[ProblemKey, Problem]]:
        listed = entry.spec.ports
        usual = {number for each in listed for number in (each.number, each.target_port)}
        for index, each in enumerate(entry.spec.endpoints):
            if each.network and not each.address and not networks.found(reader, each.network):
                yield keyed(_elsewhere(key, f"spec.endpoints[{index}]", each.network))
            ports = closed & {*usual, *each.ports.values()}
            for port in sorted(ports if not each.address.startswith(SOCKET) else {0}):
                if is_own(each.address, port, settings):
                    yield keyed(_own(key, f"spec.endpoints[{index}]", each.address, port))

    return Derived(graph, "problems of inline endpoints", entries, rows)


def workload_problems(
    graph: Graph, entries: Node[Key, WorkloadEntry], networks: Networks
) -> Derived[ProblemKey, Problem]:
    """WorkloadEntries that have a network and no address."""

    def rows(
        reader: Reader, key: Key, entry: WorkloadEntry
    ) -> Iterator[tuple[ProblemKey, Problem]]:
        network = entry.spec.network
        if network and not entry.spec.address and not networks.found(reader, network):
            yield keyed(_elsewhere(key, "spec", network))

    return Derived(graph, "problems of WorkloadEntries", entries, rows)


def _own(key: Key, path: str, address: str, port: int) -> Problem:
    where = with_port(address, port) if port else address
    return Problem(
        code="SER0603",
        severity="warning",
        message=f"{path}.address {where} is a socket of the proxy's own or of Serai's, behind which"
        " configuration and secrets are; nothing is sent there",
        remedy="Name an endpoint of a service.",
        key=key,
        path=f"{path}.address {where}",
    )


def _elsewhere(key: Key, path: str, network: str) -> Problem:
    return Problem(
        code="SER0601",
        severity="warning",
        message=f"{path} has no address, only network {network}, and no gateway of that network is"
        " known; nothing is sent to it",
        remedy="Give it an address that can be reached from here, or write a Gateway of class"
        " istio-remote with the network's label.",
        key=key,
        path=path,
    )
