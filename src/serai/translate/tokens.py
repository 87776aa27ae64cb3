"""What routes ask of tokens -> the filter of each proxy, and the keys that are fetched for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from serai.api.meta import Key
from serai.attach.gateways import Proxy
from serai.incremental import Derived, Graph, Index, Node, Reader, mapped
from serai.ir.cluster import Cluster, ClusterEndpoints, Endpoint
from serai.ir.leaf import Leaf
from serai.ir.origin import Origin, Value
from serai.ir.route import Forward, RouteConfiguration
from serai.model.inputs import Inputs
from serai.model.key_sets import Fetched
from serai.policies.tokens import TOKEN_FEATURES, requirement
from serai.policies.tokens.keys import NOBODYS
from serai.policies.tokens.requirement import KeySource, Requirement
from serai.translate.clusters import ClusterKey, Proxied
from serai.translate.collections import Named

FETCHES = "key sets to fetch"
REQUIRED = "required tokens"


class Required(Value, frozen=True):
    """What some routes of a proxy ask of tokens, and who wants it."""

    requirement: Requirement
    origins: tuple[Origin, ...]


class TokenFilter(Value, frozen=True):
    """What one proxy verifies."""

    requirements: tuple[Requirement, ...]
    keys: tuple[tuple[KeySource, str], ...]
    """The key sets that were fetched."""
    origins: tuple[Origin, ...]


class Fetch(Value, frozen=True):
    """Where a key set is fetched.  No endpoints of a cluster: there are none now."""

    source: KeySource
    endpoints: tuple[Endpoint, ...] = ()
    leaves: tuple[Value, ...] = ()
    """What policies ask of connections to them (serai.backends.FEATURES)."""


class TokenFilters(msgspec.Struct, frozen=True):
    """What is verified where, and what has to be fetched for it."""

    required: Node[Named, Required]
    filters: Node[Key, TokenFilter]
    wanted: Index[KeySource, Named]
    key_sets: Node[KeySource, Fetched]
    """What was fetched."""


def token_filters(
    graph: Graph,
    routes: Node[Named, RouteConfiguration],
    proxies: Node[Key, Proxy],
    inputs: Inputs,
) -> TokenFilters:
    """The filter of every proxy.  Its names are those that routes use: by content."""
    used: Index[Named, Named] = Index(graph, "uses of tokens", routes, _used)

    def find(reader: Reader, key: Named, members: Sequence[Named]) -> Required | None:
        row = reader.get(routes, members[0])
        found = (each for each in _required(row) if each.requirement.name == key.name)
        return next(found, None) if row else None

    required = mapped(graph, REQUIRED, used, find)
    of_proxy: Index[Key, Named] = Index(
        graph, "required tokens of proxy", required, lambda key, _: (key.proxy,)
    )
    retired: Index[Key, Named] = Index(
        graph, "retired tokens of proxy", inputs.retired_tokens, lambda key, _: (key.proxy,)
    )

    def collect(reader: Reader, key: Key, _: Proxy) -> TokenFilter:
        rows = dict(reader.rows(retired, key, inputs.retired_tokens))
        rows |= dict(reader.rows(of_proxy, key, required))
        found = [row for _, row in sorted(rows.items())]
        sources = dict.fromkeys(one for each in found for one in each.requirement.sources)
        fetched = ((one, reader.get(inputs.key_sets, one)) for one in sources)
        return TokenFilter(
            requirements=tuple(each.requirement for each in found),
            keys=tuple((one, (held and held.keys) or NOBODYS) for one, held in fetched),
            origins=tuple(dict.fromkeys(one for each in found for one in each.origins)),
        )

    wanted: Index[KeySource, Named] = Index(
        graph, "sources of keys", required, lambda _, row: row.requirement.sources
    )
    filters = mapped(graph, "token filters", proxies, collect)
    return TokenFilters(required, filters, wanted, inputs.key_sets)


def fetches(
    graph: Graph,
    tokens: TokenFilters,
    chosen: Node[Proxied, ClusterKey],
    clusters: Node[ClusterKey, Cluster],
    endpoints: Node[ClusterKey, ClusterEndpoints],
) -> Derived[KeySource, Fetch]:
    """What has to be fetched, and where: a host of the mesh at its own endpoints."""

    def fetch(reader: Reader, source: KeySource, members: Sequence[Named]) -> Fetch:
        if not source.cluster:
            return Fetch(source)
        key = reader.get(chosen, Proxied(members[0].proxy, source.cluster))
        cluster = reader.get(clusters, key) if key else None
        if key is None or cluster is None:
            return Fetch(source)
        found = reader.get(endpoints, key)
        listed = (*(found.endpoints if found else ()), *cluster.dns_endpoints)
        return Fetch(source, listed, cluster.leaves)

    return mapped(graph, FETCHES, tokens.wanted, fetch)


def _used(key: Named, row: RouteConfiguration) -> Iterator[Named]:
    return (Named(key.proxy, each.requirement.name) for each in _required(row))


def _required(row: RouteConfiguration | None) -> Iterator[Required]:
    """All that a route configuration asks of tokens."""
    for host in row.virtual_hosts if row else ():
        groups = [host.leaves, *(route.leaves for route in host.routes)]
        forwards = [each.action for each in host.routes if isinstance(each.action, Forward)]
        groups += [share.leaves for each in forwards for share in each.clusters]
        asking = (each for each in groups if any(leaf.feature in TOKEN_FEATURES for leaf in each))
        for leaves in dict.fromkeys(asking):
            found = requirement(leaves, clears=host.by_claims)
            if found is not None:
                yield Required(found, _origins(leaves))


def _origins(leaves: tuple[Leaf, ...]) -> tuple[Origin, ...]:
    return tuple(each.origin for each in leaves if each.feature in TOKEN_FEATURES)
