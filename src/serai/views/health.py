"""How many endpoints stand behind something, and how many of them can be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from serai.attach.gateways import proxy_key
from serai.model.addresses import is_socket, with_port
from serai.model.service import Backend, BackendKey, Resolution
from serai.translate.clusters import Proxied
from serai.views.members import HOST_NAME, INLINE, Member
from serai.views.row import Row
from serai.views.state import EndpointHealth, State

RESOLVED = frozenset(
    {Resolution.DNS, Resolution.DNS_ROUND_ROBIN, Resolution.NONE, Resolution.DYNAMIC_DNS}
)
"""Resolutions whose endpoints only Envoy knows."""


class Endpoints(Row, frozen=True):
    """A count of endpoints."""

    ready: int | None
    """How many can be used; None where only a running Envoy could tell, which resolves them."""
    total: int | None

    def __str__(self) -> str:
        return "-" if self.ready is None else f"{self.ready}/{self.total}"


class Opinion(Row, frozen=True):
    """What the Envoy of one Gateway thinks of an endpoint."""

    gateway: str
    """``namespace/name``."""
    state: str
    """``healthy``, ``unhealthy``, ``absent`` (it does not know of it) or ``unknown``."""
    why: str = ""
    """Envoy's own word, such as ``failed_active_health_check``."""

    @property
    def words(self) -> str:
        """The state, and why."""
        return f"{self.state} ({self.why})" if self.why else self.state


class Heard:
    """What the Envoys that send to a backend say of its endpoints."""

    def __init__(self, state: State, backend: Backend) -> None:
        clusters = clusters_of(state, backend.key)
        demand = state.pipeline.translated.demand
        self._asked = {
            gateway: answered
            for gateway, answered in state.facts.answered.items()
            if any(demand.row(_proxied(gateway, each)) for each in clusters)
            # Where the caller was going Envoy knows once somebody has called: no news before.
            and not (answered and backend.resolution is Resolution.NONE)
        }
        self.by_address: dict[str, list[EndpointHealth]] = {}
        said = [each for name in clusters for each in state.facts.health.get(name, ())]
        # What is sick in one of a Gateway's clusters is told before that it is well in another.
        for each in sorted(said, key=lambda each: not each.healthy):
            self.by_address.setdefault(each.address, []).append(each)

    @property
    def anything(self) -> bool:
        """Whether any of them has answered."""
        return bool(self.by_address) or any(self._asked.values())

    def sick(self, address: str) -> EndpointHealth | None:
        """The first word against an endpoint."""
        said = self.by_address.get(address, ())
        return next((each for each in said if not each.healthy), None)

    def opinions(self, address: str) -> tuple[Opinion, ...]:
        """What each says of an endpoint, by Gateway."""
        silent = {
            gateway: Opinion(gateway, "absent" if answered else "unknown")
            for gateway, answered in self._asked.items()
        }
        said = {each.gateway: _opinion(each) for each in self.by_address.get(address, ())}
        return tuple(sorted({**silent, **said}.values(), key=lambda each: each.gateway))


def clusters_of(state: State, key: BackendKey) -> tuple[str, ...]:
    """The names of a backend's cluster and of its subsets'."""
    attached = state.pipeline.attached
    keys = (key, *(attached.looks.parts.row(key) or ()))
    return tuple(name for each in keys if (name := attached.cluster_names.row(each)))


def count(state: State, backend: Backend, members: Iterable[Member]) -> Endpoints:
    """The endpoints of a backend; where Envoys send to it, those that all of them hold healthy."""
    heard = Heard(state, backend)
    if backend.resolution in RESOLVED:
        if not heard.anything:
            return Endpoints(None, None)
        found = heard.by_address
        return Endpoints(sum(heard.sick(each) is None for each in found), len(found))
    listed = list(members)
    usable = [
        each for each in listed if each.ready and not heard.sick(joined(each.address, each.port))
    ]
    return Endpoints(len(usable), len(listed))


def silent(state: State, backend: Backend) -> tuple[str, ...]:
    """The Gateways that send to a backend, but whose Envoy did not answer, by name."""
    heard = Heard(state, backend)
    return tuple(each.gateway for each in heard.opinions("") if each.state == "unknown")


def _proxied(gateway: str, cluster: str) -> Proxied:
    return Proxied(proxy_key(gateway), cluster)


def _opinion(health: EndpointHealth) -> Opinion:
    return Opinion(health.gateway, "healthy" if health.healthy else "unhealthy", health.why)


def sources(members: Iterable[Member]) -> tuple[str, ...]:
    """Where endpoints come from, such as ``2 Pods`` and ``1 inline``."""
    kinds = Counter(each.kind for each in members)
    return tuple(_counted(kind, kinds[kind]) for kind in sorted(kinds))


def joined(address: str, port: int) -> str:
    """``ip:port``, as Envoy writes it; only the address where there is no port."""
    if port or is_socket(address):
        return with_port(address, port)
    return f"[{address}]" if ":" in address else address


def _counted(kind: str, number: int) -> str:
    if kind == HOST_NAME:
        return kind
    if kind == INLINE or number == 1:
        return f"{number} {kind}"
    return f"{number} {kind.removesuffix('y')}ies" if kind.endswith("y") else f"{number} {kind}s"
