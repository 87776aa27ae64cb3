"""Pod -> model.Workload."""

from __future__ import annotations

from serai.api.core import Pod
from serai.ir.cluster import Locality
from serai.ir.distribution import NETWORK
from serai.model import locality
from serai.model.waypoint_labels import waypoint_labels
from serai.model.workload import Workload, labelled, takes_hbone


def workload_from_pod(pod: Pod, node: Locality | None) -> Workload:
    """A Pod as something to send to; `node` is the locality of the Node it runs on, if known."""
    status = pod.status
    addresses = dict.fromkeys([*(each.ip for each in status.pod_ips), status.pod_ip or ""])
    return Workload(
        key=pod.key,
        addresses=tuple(address for address in addresses if address),
        labels=labelled(pod.metadata.labels),
        ready=_is_ready(pod),
        terminating=_is_going(pod),
        named_ports=tuple(
            (port.name, port.container_port)
            for container in pod.spec.containers
            for port in container.ports
            if port.name
        ),
        locality=locality.of_labels(pod.metadata.labels) or node or Locality(),
        network=pod.metadata.labels.get(NETWORK, ""),
        service_account=pod.spec.service_account_name,
        node=pod.spec.node_name or "",
        in_mesh=takes_hbone(pod.metadata.labels, pod.metadata.annotations),
        waypoint=waypoint_labels(pod.metadata.labels, pod.metadata.annotations),
        shares_addresses=pod.spec.host_network,
    )


def _is_going(pod: Pod) -> bool:
    """Whether it is being deleted or has ended, so that nothing listens there for long."""
    ended = pod.status.phase in {"Succeeded", "Failed"}
    return ended or pod.metadata.deletion_timestamp is not None


def _is_ready(pod: Pod) -> bool:
    """What the condition Ready says; a Pod without one, as in a hand-written folder, is ready."""
    ready = [each.status for each in pod.status.conditions if each.type == "Ready"]
    return ready[-1] == "True" if ready else pod.status.phase != "Pending"
