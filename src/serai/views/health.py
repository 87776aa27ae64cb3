"""How many endpoints stand behind something, and how many of them can be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from serai.model.addresses import is_socket
from serai.model.service import Backend, Resolution
from serai.views.members import HOST_NAME, INLINE, Member
from serai.views.row import Row
from serai.views.state import EndpointHealth, State

RESOLVED = frozenset({Resolution.DNS, Resolution.DNS_ROUND_ROBIN, Resolution.NONE})
"""Resolutions whose endpoints only Envoy knows."""


class Endpoints(Row, frozen=True):
    """A count of endpoints."""

    ready: int | None
    """How many can be used; None where only a running Envoy could tell, which resolves them."""
    total: int | None

    def __str__(self) -> str:
        return "-" if self.ready is None else f"{self.ready}/{self.total}"


def count(state: State, backend: Backend, members: Iterable[Member]) -> Endpoints:
    """The endpoints of a backend; where Envoys send to it, those that they hold healthy."""
    seen = health_of(state, backend)
    if backend.resolution in RESOLVED:
        if not seen:
            return Endpoints(None, None)
        return Endpoints(sum(each.healthy for each in seen), len(seen))
    listed = list(members)
    sick = {each.address for each in seen if not each.healthy}
    usable = [each for each in listed if each.ready and joined(each.address, each.port) not in sick]
    return Endpoints(len(usable), len(listed))


def health_of(state: State, backend: Backend) -> tuple[EndpointHealth, ...]:
    """What Envoys think of a backend's endpoints."""
    cluster = state.pipeline.attached.cluster_names.row(backend.key)
    return state.facts.health.get(cluster or "", ())


def sources(members: Iterable[Member]) -> tuple[str, ...]:
    """Where endpoints come from, such as ``2 Pods`` and ``1 inline``."""
    kinds = Counter(each.kind for each in members)
    return tuple(_counted(kind, kinds[kind]) for kind in sorted(kinds))


def joined(address: str, port: int) -> str:
    """``ip:port``, as Envoy writes it; only the address where there is no port."""
    if is_socket(address):
        return address
    shown = f"[{address}]" if ":" in address else address
    return f"{shown}:{port}" if port else shown


def _counted(kind: str, number: int) -> str:
    if kind == HOST_NAME:
        return kind
    if kind == INLINE or number == 1:
        return f"{number} {kind}"
    return f"{number} {kind.removesuffix('y')}ies" if kind.endswith("y") else f"{number} {kind}s"
