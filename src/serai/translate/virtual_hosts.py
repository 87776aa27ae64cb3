"""Routes with host names -> virtual hosts.

Envoy looks in one virtual host only, the most specific; the Gateway API lets all routes compete
whose hostnames cover the request's, the most specific hostname first.  So each virtual host gets
the routes of every hostname that covers it.
"""

from __future__ import annotations

from serai.attach.hostnames import specificity
from serai.ir.leaf import Leaf
from serai.ir.match import RequestMatch
from serai.ir.origin import Value
from serai.ir.route import Route, VirtualHost
from serai.model.hosts import patterns
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
    answering: dict[str, _Answers] = {}
    for group in groups:
        answering.setdefault(group.hostname, _Answers(group))
    named = (each for group in groups for entry in group.entries for each in entry.hostnames)
    return tuple(
        _virtual_host(
            pattern, next(answering[each] for each in patterns(pattern) if each in answering)
        )
        for pattern in sorted({*answering, *named})
    )


class _Answers:
    """A group, whose entries are found by their hosts: there may be thousands."""

    def __init__(self, group: HostGroup) -> None:
        self.group = group
        self._having: dict[str, list[int]] = {}
        for position, entry in enumerate(group.entries):
            for hostname in entry.hostnames:
                self._having.setdefault(hostname, []).append(position)

    def of(self, pattern: str) -> list[tuple[tuple[bool, int], HostRoutes]]:
        """The entries that cover a pattern, in order, and how far from it their hosts are."""
        found: dict[int, tuple[bool, int]] = {}
        for each in patterns(pattern):
            for position in self._having.get(each, ()):
                found.setdefault(position, _reverse(specificity(each)))
        return [(found[position], self.group.entries[position]) for position in sorted(found)]


def virtual_host(pattern: str, group: HostGroup) -> VirtualHost:
    """The virtual host of a pattern that belongs to a group."""
    return _virtual_host(pattern, _Answers(group))


def _virtual_host(pattern: str, answers: _Answers) -> VirtualHost:
    owner, entries = answers.group, answers.of(pattern)
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
