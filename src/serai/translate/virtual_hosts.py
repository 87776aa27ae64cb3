"""Routes with host names -> virtual hosts.

Envoy looks in one virtual host only, the most specific; the Gateway API lets all routes compete
whose hostnames cover the request's, the most specific hostname first.  So each virtual host gets
the routes of every hostname that covers it.
"""

from __future__ import annotations

from serai.attach.hostnames import covers, specificity
from serai.ir.leaf import Leaf
from serai.ir.match import RequestMatch
from serai.ir.origin import Value
from serai.ir.route import Route, VirtualHost
from serai.translate.order import RankedRoute


class HostRoutes(Value, frozen=True):
    """Routes for the hosts of some patterns."""

    hostnames: tuple[str, ...]
    routes: tuple[RankedRoute, ...]
    remoteness: int = 0
    """Routes are merged with those as near to what was asked for, and replace all remoter ones."""


class HostGroup(Value, frozen=True):
    """What one listener (or one host of a service) answers: a request belongs to one group only.

    Gateway API: listener isolation.
    """

    hostname: str
    entries: tuple[HostRoutes, ...]
    first: tuple[Route, ...] = ()
    """Tried before all others, in this order."""
    otherwise: Route | None = None
    """Taken for the hosts that no entry is for."""
    leaves: tuple[Leaf, ...] = ()
    """Of the policies that apply to all of it, the most specific first."""


def virtual_hosts(groups: tuple[HostGroup, ...]) -> tuple[VirtualHost, ...]:
    """One virtual host for each pattern, sorted by name."""
    patterns = {group.hostname for group in groups}
    for group in groups:
        for entry in group.entries:
            patterns.update(entry.hostnames)
    return tuple(_virtual_host(pattern, groups) for pattern in sorted(patterns))


def _virtual_host(pattern: str, groups: tuple[HostGroup, ...]) -> VirtualHost:
    owner = max(
        (group for group in groups if covers(group.hostname, pattern)),
        key=lambda group: specificity(group.hostname),
    )
    entries = [
        (_reverse(max(specificity(each) for each in covering)), entry)
        for entry in owner.entries
        if (covering := [each for each in entry.hostnames if covers(each, pattern)])
    ]
    nearest = min((entry.remoteness for _, entry in entries), default=0)
    entries = [each for each in entries if each[1].remoteness == nearest]
    ranked = [(how, each.rank, each.route) for how, entry in entries for each in entry.routes]
    routes = [route for _, _, route in sorted(ranked, key=lambda each: each[:2])]
    if owner.otherwise is not None and not entries:
        routes.append(owner.otherwise)
    return VirtualHost(pattern, (pattern,), _reachable([*owner.first, *routes]), owner.leaves)


def _reverse(found: tuple[bool, int]) -> tuple[bool, int]:
    exact, length = found
    return (not exact, -length)


def _reachable(routes: list[Route]) -> tuple[Route, ...]:
    """Without those behind an equal match, which would never be tried."""
    first: dict[RequestMatch, Route] = {}
    for route in routes:
        first.setdefault(route.match, route)
    return tuple(first.values())
