"""A cluster's endpoints, as near or as far as a client finds them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from math import ceil
from operator import attrgetter

import msgspec

from serai.ir.cluster import Endpoint, Health, Locality
from serai.ir.distribution import (
    CLUSTER,
    HOSTNAME,
    NETWORK,
    REGION,
    SUBZONE,
    ZONE,
    Distribution,
    Failover,
    Share,
    Shares,
)
from serai.ir.origin import Value
from serai.ir.viewpoint import Viewpoint

Distance = tuple[int, int]
"""By labels, then by locality; 0 is nearest."""

_ALL = 100
OVERPROVISIONING = 140
"""Percent: a priority keeps all of its traffic as long as this much of it is healthy endpoints.

Envoy: overprovisioning_factor."""
HEAVIEST = 2**32 - 1
"""What weights may come to together.  Envoy: LocalityLbEndpoints."""


class LocalityEndpoints(Value, frozen=True):
    """Endpoints of one locality that a client prefers alike."""

    locality: Locality
    endpoints: tuple[Endpoint, ...]
    weight: int
    """Of the locality among those of its priority."""
    priority: int = 0
    """0 is tried first; there are no gaps."""


def localities(
    endpoints: Iterable[Endpoint], distribution: Distribution | None, viewpoint: Viewpoint | None
) -> tuple[LocalityEndpoints, ...]:
    """The endpoints by priority and locality, sorted, for a client at a viewpoint.

    A client that does not say where it is (None) finds all equally near, but for labels whose
    value is given.  Envoy: ClusterLoadAssignment; Istio: localityLbSetting.
    """
    endpoints = _bounded(tuple(endpoints))
    if distribution is None:
        return tuple(
            _locality(locality, 0, tuple(group))
            for locality, group in groupby(sorted(endpoints, key=_where), key=_locality_of)
        )
    if isinstance(distribution, Failover):
        measured = [(_distance(each, distribution, viewpoint), each) for each in endpoints]
        if _are_too_few(measured, distribution):
            measured = [((0, 0), each) for _, each in measured]
    else:
        measured = [((0, 0), each) for each in endpoints]
    ranks = {far: rank for rank, far in enumerate(sorted({far for far, _ in measured}))}
    ordered = sorted(
        ((ranks[far], each) for far, each in measured),
        key=lambda pair: (pair[0], pair[1].locality, pair[1].address, pair[1].port),
    )
    found = tuple(
        _locality(locality, rank, tuple(each for _, each in group))
        for (rank, locality), group in groupby(
            ordered, key=lambda pair: (pair[0], pair[1].locality)
        )
    )
    if isinstance(distribution, Shares):
        return _shared(found, distribution, viewpoint)
    return found


def _bounded(endpoints: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    """The endpoints with as much weight as Envoy takes, in the same proportions."""
    total = sum(map(_weight_of, endpoints))
    if total <= HEAVIEST:
        return endpoints
    most = HEAVIEST - len(endpoints)  # each may be raised to 1
    return tuple(
        msgspec.structs.replace(each, weight=max(1, each.weight * most // total))
        for each in endpoints
    )


_weight_of = attrgetter("weight")
_where = attrgetter("locality", "address", "port")
_locality_of = attrgetter("locality")


def relevant(distribution: Distribution, viewpoint: Viewpoint) -> Viewpoint:
    """What of a viewpoint a distribution looks at; those that agree in it see the same."""
    if isinstance(distribution, Shares):
        return Viewpoint(viewpoint.locality)
    keys = {label for label in distribution.labels if "=" not in label}
    place = viewpoint.locality
    whole = distribution.by_locality
    return Viewpoint(
        Locality(
            place.region if whole or REGION in keys else "",
            place.zone if whole or ZONE in keys else "",
            place.subzone if whole or SUBZONE in keys else "",
        ),
        viewpoint.network if NETWORK in keys else "",
        viewpoint.node if HOSTNAME in keys else "",
        tuple(pair for pair in viewpoint.labels if pair[0] in keys),
    )


def in_use(found: Sequence[LocalityEndpoints]) -> tuple[Endpoint, ...]:
    """The endpoints that get traffic: the healthy ones of as many priorities as it takes."""
    used: list[Endpoint] = []
    load = 0
    for _, group in groupby(found, key=lambda each: each.priority):
        members = [endpoint for each in group for endpoint in each.endpoints]
        healthy = [each for each in members if each.health is Health.HEALTHY]
        if load < _ALL:
            used += healthy
            load += len(healthy) * OVERPROVISIONING // len(members)
    return tuple(used)


def _locality(
    locality: Locality, priority: int, endpoints: tuple[Endpoint, ...]
) -> LocalityEndpoints:
    weight = sum(each.weight for each in endpoints)
    return LocalityEndpoints(locality, endpoints, weight, priority)


def _are_too_few(measured: list[tuple[Distance, Endpoint]], failover: Failover) -> bool:
    """Whether there is too little to prefer something: in all, or nearby."""
    healthy = [far for far, each in measured if each.health is Health.HEALTHY]
    near = sum(far == (0, 0) for far in healthy)
    return len(healthy) < failover.least or near < failover.least_near


def _distance(endpoint: Endpoint, failover: Failover, viewpoint: Viewpoint | None) -> Distance:
    by_label = _mismatch(endpoint, failover.labels, viewpoint)
    if viewpoint is None or not failover.by_locality:
        return by_label, 0
    return by_label, _steps(viewpoint.locality, endpoint.locality, failover.regions)


def labels_of(endpoint: Endpoint, own_cluster: str = "") -> Mapping[str, str]:
    """An endpoint's labels, and the place where it is in the labels for that."""
    found = _labels(endpoint.locality, endpoint.network, endpoint.node, endpoint.labels)
    cluster = endpoint.cluster or own_cluster
    return {**found, CLUSTER: cluster} if cluster else found


def _mismatch(endpoint: Endpoint, labels: tuple[str, ...], viewpoint: Viewpoint | None) -> int:
    """How many labels remain from the first on in which they differ; 0 if they agree in all.

    The cluster of whoever asks is known, whatever else is not: it is our own, which has no name.
    """
    there = {**labels_of(endpoint), CLUSTER: endpoint.cluster}
    here = (
        _labels(viewpoint.locality, viewpoint.network, viewpoint.node, viewpoint.labels)
        if viewpoint
        else None
    )
    for index, label in enumerate(labels):
        key, given, value = label.partition("=")
        if key == CLUSTER:
            wanted = value
        elif not given and here is None:
            continue
        else:
            wanted = value if given or here is None else here.get(key, "")
        if there.get(key, "") != wanted:
            return len(labels) - index
    return 0


def _steps(here: Locality, there: Locality, regions: tuple[tuple[str, str], ...]) -> int:
    """0 in the same subzone, 1 in the zone, 2 in the region, 3 elsewhere; 4 if not in the next."""
    if here.region != there.region:
        following = dict(reversed(regions)).get(here.region, there.region)
        return 3 if following == there.region else 4
    if here.zone != there.zone:
        return 2
    return 0 if here.subzone == there.subzone else 1


def _labels(
    locality: Locality, network: str, node: str, labels: tuple[tuple[str, str], ...]
) -> Mapping[str, str]:
    """Labels, with those of the place as it is known."""
    placed = {
        REGION: locality.region,
        ZONE: locality.zone,
        SUBZONE: locality.subzone,
        NETWORK: network,
        HOSTNAME: node,
    }
    return {**dict(labels), **{key: value for key, value in placed.items() if value}}


def _shared(
    found: tuple[LocalityEndpoints, ...], shares: Shares, viewpoint: Viewpoint | None
) -> tuple[LocalityEndpoints, ...]:
    here = viewpoint.locality if viewpoint else Locality()
    share = next((each for each in shares.shares if _covers(each.source, here)), None)
    return found if share is None else tuple(_weighed(found, share))


def _weighed(found: tuple[LocalityEndpoints, ...], share: Share) -> Iterable[LocalityEndpoints]:
    """Each place's percent, divided among its localities as their endpoints weigh."""
    patterns = sorted(share.to, key=lambda each: (each[0].count("*"), -each[0].count("/"), each))
    chosen = [
        next((each for each in patterns if _covers(each[0], one.locality)), None) for one in found
    ]
    for one, pattern in zip(found, chosen, strict=True):
        if pattern is not None and pattern[1] > 0:
            total = sum(
                other.weight for other, its in zip(found, chosen, strict=True) if its == pattern
            )
            weight = ceil(one.weight * pattern[1] / total)
            yield msgspec.structs.replace(one, weight=weight)


def _covers(pattern: str, locality: Locality) -> bool:
    """Whether ``region/zone/subzone``, of which later parts may be missing or ``*``, is there."""
    region, zone, subzone = [*pattern.split("/", 2), "", "", ""][:3]
    return (
        region in {"*", locality.region}
        and zone in {"*", "", locality.zone}
        and subzone in {"*", "", locality.subzone}
    )
