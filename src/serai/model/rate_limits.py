"""Serai's own rate limit service, as far as policies and proxies have to do with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from serai.api.core import ConfigMap
from serai.api.meta import Key
from serai.api.rate_limit_config import LABEL, Domain, Wrong, parse
from serai.incremental import Derived, Graph, Node, mapped
from serai.ir.origin import Value

OWN_CLUSTER = "serai_ratelimit"
"""The cluster that leads to it; no object's cluster is named so."""

OWN_GROUP, OWN_KIND = "serai.dev", "RateLimitService"
"""As which a GatewayExtension may name it, where a reference must be written."""


class Limits(Value, frozen=True):
    """What a ConfigMap says of limits."""

    created: str
    domains: tuple[Domain, ...] = ()
    """Under the names by which the service knows them."""


def own_domain(namespace: str, domain: str) -> str:
    """The domain under which it knows a namespace's limits, which are nobody else's business."""
    return f"{namespace}/{domain}"


def limits(graph: Graph, config_maps: Node[Key, ConfigMap]) -> Derived[Key, Limits]:
    """The limits in every ConfigMap that has the label."""
    return mapped(graph, "rate limits", config_maps, lambda _, key, row: limits_of(key, row))


def limits_of(key: Key, row: ConfigMap) -> Limits | None:
    """The limits in a ConfigMap; None if it is about something else."""
    if row.metadata.labels.get(LABEL) != "true":
        return None
    # Texts that have none were refused when the object was read.
    parsed = (parse(text) for _, text in sorted(row.data.items()))
    domains = (each for found in parsed if not isinstance(found, Wrong) for each in found)
    named = (
        msgspec.structs.replace(each, domain=own_domain(key.namespace, each.domain))
        for each in domains
    )
    return Limits(row.metadata.creation_timestamp or "", tuple(named))


def in_force(found: Iterable[tuple[Key, Limits]]) -> Mapping[str, tuple[Key, Domain]]:
    """Each domain, from the oldest object that has it, then from the first by name."""
    ordered = sorted(found, key=lambda each: (each[1].created or "9999", each[0]))
    chosen: dict[str, tuple[Key, Domain]] = {}
    for key, each in ordered:
        for domain in each.domains:
            chosen.setdefault(domain.domain, (key, domain))
    return chosen
