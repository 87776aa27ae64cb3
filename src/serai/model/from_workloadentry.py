"""WorkloadEntry -> model.Workload."""

from __future__ import annotations

from serai.api.networking import WorkloadEntry
from serai.ir.cluster import Locality
from serai.ir.distribution import NETWORK
from serai.model import locality
from serai.model.addresses import canonical
from serai.model.waypoint_labels import waypoint_labels
from serai.model.workload import Workload, labelled, takes_hbone

HEALTH_CHECKED = "proxy.istio.io/health-checks-enabled"


def workload_from_workloadentry(entry: WorkloadEntry) -> Workload:
    """A WorkloadEntry as something to send to.  Its metadata's labels beat those of its spec."""
    spec = entry.spec
    labels = {**spec.labels, **entry.metadata.labels}
    address = canonical(spec.address) or spec.address
    return Workload(
        key=entry.key,
        addresses=(address,) if address else (),
        labels=labelled(labels),
        ready=_is_ready(entry),
        terminating=entry.metadata.deletion_timestamp is not None,
        declared_ports=tuple(sorted(spec.ports.items())),
        locality=(
            locality.parse(spec.locality)
            if spec.locality
            else locality.of_labels(labels) or Locality()
        ),
        network=spec.network or labels.get(NETWORK, ""),
        weight=spec.weight or 1,
        service_account=spec.service_account,
        in_mesh=takes_hbone(labels, entry.metadata.annotations),
        waypoint=waypoint_labels(entry.metadata.labels, entry.metadata.annotations),
        generation=entry.metadata.generation,
    )


def _is_ready(entry: WorkloadEntry) -> bool:
    """What the condition Healthy says, where the annotation says that health is checked."""
    if entry.metadata.annotations.get(HEALTH_CHECKED) != "true":
        return True
    return any(each.type == "Healthy" and each.status == "True" for each in entry.status.conditions)
