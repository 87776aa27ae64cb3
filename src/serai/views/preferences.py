"""How soon clients send to an endpoint, by the places that they are at."""

from __future__ import annotations

from serai.ir.distribution import Distribution
from serai.ir.viewpoint import Viewpoint
from serai.model.service import Backend
from serai.translate.clusters import Proxied
from serai.translate.localities import localities
from serai.views.row import Row, locality_name
from serai.views.state import State


class Preference(Row, frozen=True):
    """What the clients of a Gateway at one place make of an endpoint."""

    gateway: str
    """``namespace/name``."""
    place: str
    """Where they are: locality, network and machine as far as they are known, else empty."""
    priority: int
    """0 is sent to first, others as far as those before cannot take all."""


class Preferences:
    """The priorities of a backend's endpoints, wherever its clients are."""

    def __init__(self, state: State, backend: Backend) -> None:
        pipeline = state.pipeline
        endpoints = pipeline.attached.catalog.endpoints.row(backend.key) or ()
        cluster = pipeline.attached.cluster_names.row(backend.key) or ""
        self._by_endpoint: dict[tuple[str, int], list[Preference]] = {}
        for gateway, distribution, viewpoint in _lookers(state, cluster):
            place = "" if viewpoint is None else place_name(viewpoint)
            for each in localities(endpoints, distribution, viewpoint):
                found = Preference(gateway, place, each.priority)
                for one in each.endpoints:
                    self._by_endpoint.setdefault((one.address, one.port), []).append(found)

    def of(self, address: str, port: int) -> tuple[Preference, ...]:
        """Of one endpoint; none of what is no endpoint, and where nobody sends to it."""
        return tuple(self._by_endpoint.get((address, port), ()))


def _lookers(state: State, cluster: str) -> list[tuple[str, Distribution | None, Viewpoint | None]]:
    """The Gateways that send to a cluster, what it prefers there, and each place of their clients.

    Where none is known, because nothing runs or nobody says it, it is that of the Gateway.
    """
    pipeline = state.pipeline
    found: list[tuple[str, Distribution | None, Viewpoint | None]] = []
    for proxied in pipeline.translated.users.row(cluster) or ():
        proxy, distribution = proxied.proxy, _distribution(state, proxied)
        gateway = proxy.namespaced_name
        own = [each.viewpoint for each in pipeline.translated.viewpoints.row(proxy) or ()]
        clients = [each for each in state.facts.clients if each.gateway == gateway]
        if not own or any(each.viewpoint is None for each in clients):
            known = pipeline.attached.proxies.row(proxy)
            found.append((gateway, distribution, known.viewpoint if known else None))
        found += [(gateway, distribution, viewpoint) for viewpoint in own]
    return found


def _distribution(state: State, proxied: Proxied) -> Distribution | None:
    chosen = state.pipeline.translated.chosen.row(proxied)
    found = state.pipeline.translated.clusters.row(chosen) if chosen else None
    return found.distribution if found else None


def place_name(viewpoint: Viewpoint) -> str:
    """A place in few words."""
    words = [locality_name(viewpoint.locality)]
    words += [f"network {viewpoint.network}"] if viewpoint.network else []
    words += [f"on {viewpoint.node}"] if viewpoint.node else []
    return " ".join(each for each in words if each)


def preferences_in_words(preferences: tuple[Preference, ...]) -> str:
    """The priority; where clients disagree, that of each place.  ``-`` where nobody sends to it."""
    priorities = {each.priority for each in preferences}
    if len(priorities) <= 1:
        return str(priorities.pop()) if priorities else "-"
    several = len({each.gateway for each in preferences}) > 1
    return ", ".join(
        " ".join(
            word for word in (each.gateway if several else "", each.place or "elsewhere") if word
        )
        + f": {each.priority}"
        for each in preferences
    )
