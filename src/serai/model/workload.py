"""A workload: a Pod or a WorkloadEntry, as something that traffic can be sent to."""

from __future__ import annotations

from collections.abc import Mapping

from serai.api.meta import Key
from serai.ir.cluster import Health, Locality
from serai.ir.origin import Value
from serai.model.service import WaypointLabels


class Workload(Value, frozen=True):
    """Something that runs somewhere and has addresses."""

    key: Key
    addresses: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    ready: bool
    terminating: bool = False
    declared_ports: tuple[tuple[str, int], ...] = ()
    """Port name to number, as its owner maps a service's ports; beats the service's target."""
    named_ports: tuple[tuple[str, int], ...] = ()
    """Port name to number, as its containers name them."""
    locality: Locality = Locality()
    network: str = ""
    weight: int = 1
    service_account: str = ""
    node: str = ""
    in_mesh: bool = False
    """Whether it takes HBONE: a ztunnel is before it, or it speaks it itself."""
    waypoint: WaypointLabels | None = None
    """What it says itself of a waypoint for what is sent to its own addresses."""
    shares_addresses: bool = False
    """Whether its addresses are those of the machine, so that they say nothing of it."""
    generation: int = 1
    """Of the object as it was written."""

    @property
    def health(self) -> Health:
        """What its owner says of it."""
        if self.terminating:
            return Health.DRAINING
        return Health.HEALTHY if self.ready else Health.UNHEALTHY

    @property
    def identity(self) -> str:
        """``namespace/serviceaccount``; empty where no service account is written."""
        account = self.service_account
        return f"{self.key.namespace}/{account}" if account else ""


SelectorKey = tuple[str, str, str]
"""Namespace, label, value; label and value empty for every workload of the namespace."""


def selector_keys(key: Key, workload: Workload) -> list[SelectorKey]:
    """Under which keys selectors find a workload."""
    return [(key.namespace, "", ""), *((key.namespace, *pair) for pair in workload.labels)]


def labelled(labels: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Labels as a sorted value."""
    return tuple(sorted(labels.items()))


TUNNEL, REDIRECTION = "networking.istio.io/tunnel", "ambient.istio.io/redirection"


def takes_hbone(labels: Mapping[str, str], annotations: Mapping[str, str]) -> bool:
    """What an object says of itself, or Istio's CNI of a Pod that it has captured."""
    return labels.get(TUNNEL) == "http" or annotations.get(REDIRECTION) == "enabled"
