"""Leaves -> what connection managers and routes say of filters.

Every connection manager has the same few filters, which do nothing by themselves: whatever a
policy asks for is in the routes, so that no policy ever changes a listener, which would drain its
connections.  Two slots run any filters that a route brings along; between them there is room for
what cannot be brought along.  Envoy: composite filter, ExtensionWithMatcherPerRoute.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.message import Message

from serai.ir.leaf import FailClosed, Leaf
from serai.policies import BY_NAME, ORDER
from serai.policies.cors import FILTER as CORS
from serai.policies.feature import Encoded, Stage
from serai.proto.envoy import (
    Composite,
    Cors,
    ExecuteFilterAction,
    ExtensionWithMatcher,
    ExtensionWithMatcherPerRoute,
)
from serai.proto.pool import pack

EARLY, LATE = "serai.policies.early", "serai.policies.late"
"""The slots; what comes before authentication by tokens, and what comes after it."""


def http_filters() -> list[dict[str, Any]]:
    """The filters of every connection manager that policies use."""
    return [_filter(CORS, Cors()), _slot(EARLY), _slot(LATE)]


def route_filters(leaves: tuple[Leaf, ...], around: tuple[Leaf, ...] = ()) -> dict[str, Any]:
    """The `typed_per_filter_config` of a route whose virtual host has what is `around` it."""
    if leaves == around:
        return {}
    configs = _configs(leaves)
    empty = {name: _run(()) for name in (EARLY, LATE) if name in _configs(around)}
    return {**empty, **configs}


def action_fields(leaves: Iterable[Leaf]) -> dict[str, Any]:
    """The fields of a RouteAction that features set, where the route itself sets none."""
    return {name: each for found in _encoded(leaves) for name, each in found.action.items()}


def network_filters(leaves: Iterable[Leaf]) -> list[dict[str, Any]]:
    """The network filters of a chain that is not HTTP."""
    return [_filter(*each) for found in _encoded(leaves) for each in found.network]


def _configs(leaves: tuple[Leaf, ...]) -> dict[str, Any]:
    ordered = _ordered(leaves)
    early = [each for leaf in ordered if _is_early(leaf) for each in _encode(leaf).filters]
    late = [each for leaf in ordered if not _is_early(leaf) for each in _encode(leaf).filters]
    found = {name: pack(each) for leaf in ordered for name, each in _encode(leaf).per_route}
    slots = {EARLY: early, LATE: late}
    return {**found, **{name: _run(tuple(run)) for name, run in slots.items() if run}}


def _run(filters: tuple[tuple[str, Message], ...]) -> dict[str, Any]:
    """What a slot does for a route: these filters, in this order."""
    if not filters:
        return pack(ExtensionWithMatcherPerRoute(xds_matcher={}))
    chain = [_filter(name, message) for name, message in filters]
    action = ExecuteFilterAction(filter_chain={"typed_config": chain})
    matcher = {"on_no_match": {"action": _filter("run", action)}}
    return pack(ExtensionWithMatcherPerRoute(xds_matcher=matcher))


def _slot(name: str) -> dict[str, Any]:
    composite = _filter("envoy.filters.http.composite", Composite())
    return _filter(name, ExtensionWithMatcher(xds_matcher={}, extension_config=composite))


def _filter(name: str, config: Message) -> dict[str, Any]:
    return {"name": name, "typed_config": pack(config)}


def _ordered(leaves: Iterable[Leaf]) -> list[Leaf]:
    usable = (each for each in leaves if not isinstance(each.value, FailClosed))
    return sorted(usable, key=lambda leaf: ORDER[leaf.feature])


def _encoded(leaves: Iterable[Leaf]) -> list[Encoded]:
    return [_encode(leaf) for leaf in _ordered(leaves)]


def _encode(leaf: Leaf) -> Encoded:
    return BY_NAME[leaf.feature].encode(leaf.value)


def _is_early(leaf: Leaf) -> bool:
    return BY_NAME[leaf.feature].stage < Stage.AUTHN
