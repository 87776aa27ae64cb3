"""Large tables of gateways, divided by hosts.

Envoy makes a route configuration again as a whole, on the thread that takes every change: 15
microseconds a host.  So a large one is divided into parts of about as many hosts each, and says
itself only to which of them a request's host leads.  A host that wildcards cover has to win over
them: so every part has all of the wildcards.

Envoy looks at some things before it has found the part: whether a request is traced, and whether
CONNECT is taken.  And a redirect that it follows may lead to a host of another part.  Where routes
ask for these, their table stays whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from serai.attach.listeners import ListenerKey
from serai.incremental import Derived, Graph, Index, Node, Reader
from serai.ir.match import is_connect
from serai.ir.origin import Origin
from serai.ir.route import Route, Scope, VirtualHost
from serai.policies.internal_redirect import INTERNAL_REDIRECT
from serai.policies.tracing import TRACING
from serai.translate import names
from serai.translate.collections import Attached, Named
from serai.translate.gateway_hosts import GatewayHosts, HostKey, Table

PARTS = 32
LEAST = 128
"""Hosts that are worth to be divided."""
FACTOR, MODULUS = 33, 65_521
"""Of the hash; xds/encode/division.py has it once more, for Envoy."""
WHOLE = ALL = -1
"""No part: the table itself; all parts."""
_UNFIT = frozenset({INTERNAL_REDIRECT.name, TRACING.name})


class Part(NamedTuple):
    """A route configuration of a table: the one of its name, or the part of a number."""

    table: Table
    number: int = WHOLE

    @property
    def named(self) -> Named:
        """As Envoy knows it, and its scope."""
        whole = self.table.named
        if self.number == WHOLE:
            return whole
        return Named(whole.proxy, names.gateway_part(whole.name, self.number))


class Shape(NamedTuple):
    """What a route configuration is found by, and what is in it."""

    divisible: bool
    """Whether it is found by a scope, so that it can be divided while connections last."""
    divided: bool = False
    """Whether its parts have its hosts."""


class Bucket(NamedTuple):
    """The exact hosts of a table that belong to one part; or all of its wildcards."""

    table: Table
    number: int


class Division(msgspec.Struct, frozen=True):
    """Which route configurations there are of each table, and what is in which."""

    parts: Node[Part, Shape]
    by_name: Index[Named, Part]
    buckets: Index[Bucket, HostKey]

    def hosts(self, reader: Reader, part: Part) -> list[HostKey]:
        """The hosts of a part, sorted by their patterns."""
        buckets = (Bucket(part.table, each) for each in (part.number, ALL))
        return sorted(key for each in buckets for key in reader.members(self.buckets, each))


def part_of(authority: str) -> int:
    """The part that has a host, which may come with a port, and in any case."""
    host, colon, port = authority.lower().rpartition(":")
    host = host if colon and "]" not in port else f"{host}{colon}{port}"
    found = 0
    for byte in host.encode():
        found = (found * FACTOR + byte) % MODULUS
    return found % PARTS


def division(graph: Graph, attached: Attached, found: GatewayHosts) -> Division:
    """One route configuration for each table, and the parts of those that are divided."""
    buckets = Index(graph, "hosts by part", found.hosts, lambda key, _: (_bucket(key),))
    sizes: Derived[Bucket, int] = Derived(
        graph, "numbers of hosts by part", buckets, lambda _, key, hosts: ((key, len(hosts)),)
    )
    unfit = Index(graph, "hosts of tables that stay whole", found.hosts, _unfit)

    def rows(
        reader: Reader, table: Table, _: Sequence[ListenerKey]
    ) -> Iterator[tuple[Part, Shape]]:
        divisible = _is_divisible(reader, attached, table)
        divided = divisible and _is_large(reader, table, sizes)
        divided = divided and not reader.members(unfit, table)
        yield Part(table), Shape(divisible, divided)
        for number in range(PARTS) if divided else ():
            yield Part(table, number), Shape(divisible)

    parts = Derived(graph, "parts of tables", found.listeners, rows)
    by_name = Index(graph, "parts by name", parts, lambda part, _: (part.named,))
    return Division(parts, by_name, buckets)


def gateway_scopes(graph: Graph, found: Division) -> Derived[Named, Scope]:
    """A scope for each route configuration that is found by one: of its own name."""

    def rows(_: Reader, part: Part, shape: Shape) -> Iterator[tuple[Named, Scope]]:
        if shape.divisible:
            named = part.named
            yield named, Scope(named.name, named.name, named.name, Origin(part.table.gateway))

    return Derived(graph, "scopes of gateways", found.parts, rows)


def is_divisible(hostname: str) -> bool:
    """Whether a listener with a connection of its own may have many hosts."""
    return "*" in hostname


def _is_divisible(reader: Reader, attached: Attached, table: Table) -> bool:
    if not table.listener:
        return True
    state = reader.get(attached.listeners, table.listener)
    return state is not None and is_divisible(state.hostname)


def _is_large(reader: Reader, table: Table, sizes: Node[Bucket, int]) -> bool:
    """Whether there is much to divide, and what all parts have is no more than that."""
    exact = sum(reader.get(sizes, Bucket(table, number)) or 0 for number in range(PARTS))
    wild = reader.get(sizes, Bucket(table, ALL)) or 0
    return exact >= max(LEAST, PARTS * wild)


def _bucket(key: HostKey) -> Bucket:
    return Bucket(key.table, ALL if "*" in key.pattern else part_of(key.pattern))


def _unfit(key: HostKey, host: VirtualHost) -> tuple[Table, ...]:
    return (key.table,) if any(map(_asks_too_early, host.routes)) else ()


def _asks_too_early(route: Route) -> bool:
    return is_connect(route.match) or any(leaf.feature in _UNFIT for leaf in route.leaves)
