"""Routes that nobody may pass, since what guards them cannot be done."""

from __future__ import annotations

from msgspec.structs import replace

from serai.ir.leaf import FailClosed, Leaf
from serai.ir.route import DirectResponse, Route, WeightedCluster
from serai.policies import BY_NAME


def closed(route: Route) -> Route:
    """A route, which answers by itself where one of its leaves must not be skipped."""
    refusal = _refusal(route.leaves)
    return replace(route, action=DirectResponse(refusal.status)) if refusal else route


def closed_share(cluster: WeightedCluster) -> WeightedCluster:
    """Likewise of a share of its requests."""
    refusal = _refusal(cluster.leaves)
    if refusal is None:
        return cluster
    return replace(cluster, cluster=None, redirect=None, status=refusal.status)


def sent_nowhere(leaves: tuple[Leaf, ...]) -> tuple[Leaf, ...]:
    """What is in force where nothing is sent on: what cannot be done there lets nobody pass."""
    return tuple(_sent_nowhere(leaf) for leaf in leaves)


def of_share(cluster: WeightedCluster, leaves: tuple[Leaf, ...]) -> tuple[Leaf, ...]:
    """What is in force for a share, which may be told to go elsewhere."""
    return leaves if cluster.redirect is None else sent_nowhere(leaves)


def _sent_nowhere(leaf: Leaf) -> Leaf:
    if isinstance(leaf.value, FailClosed):
        return leaf
    feature = BY_NAME[leaf.feature]
    why = feature.needs_backend(leaf.value)
    return replace(leaf, value=FailClosed(feature.fails_closed, why)) if why else leaf


def _refusal(leaves: tuple[Leaf, ...]) -> FailClosed | None:
    return next((each.value for each in leaves if isinstance(each.value, FailClosed)), None)
