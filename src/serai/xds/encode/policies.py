"""Leaves -> what connection managers and routes say of filters.

Every connection manager has the same few filters, which do nothing by themselves: whatever a
policy asks for is in the routes, so that no policy ever changes a listener, which would drain its
connections.  Four slots run any filters that a route brings along; between them are those that
decide by what is known of the caller.  Envoy: composite filter, ExtensionWithMatcherPerRoute.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from google.protobuf.message import Message

from serai.ir.leaf import FailClosed, Leaf
from serai.ir.origin import Value
from serai.ir.route import Route
from serai.policies import BY_NAME, ORDER
from serai.policies.authorization import FILTERS as AUTHORIZATION
from serai.policies.cors import FILTER as CORS
from serai.policies.feature import Encoded, Place, Stage
from serai.policies.stat_prefix import StatPrefix
from serai.policies.tokens import requirement
from serai.policies.tokens.encode import FILTER, per_route
from serai.proto.envoy import (
    Composite,
    Cors,
    ExecuteFilterAction,
    ExtensionWithMatcher,
    ExtensionWithMatcherPerRoute,
    HttpRBAC,
    NetworkRBAC,
)
from serai.proto.pool import pack
from serai.xds.encode import tokens

EARLY, AUTHN, LATE = "serai.policies.early", "serai.policies.authn", "serai.policies.late"
TOKENS = "serai.policies.tokens"
"""The slots: before it is known who calls, to find that out, after it was decided upon; and what
is done with what tokens say, once those were verified."""
SLOTS = (EARLY, AUTHN, TOKENS, LATE)
_PUT = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def http_filters() -> list[dict[str, Any]]:
    """The filters of every connection manager that policies use."""
    deciding = [_filter(name, HttpRBAC()) for name in AUTHORIZATION.values()]
    before = [_filter(CORS, Cors()), _slot(EARLY), _slot(AUTHN)]
    return [*before, tokens.filter_of_manager(), _slot(TOKENS), *deciding, _slot(LATE)]


def route_filters(
    leaves: tuple[Leaf, ...], around: tuple[Leaf, ...] = (), *, by_claims: bool = False
) -> dict[str, Any]:
    """The `typed_per_filter_config` of a route whose virtual host has what is `around` it.

    `by_claims`: whether routes there are chosen by what tokens claim.
    """
    if leaves == around:
        return {}
    configs, outer = _configs(leaves, by_claims), _configs(around, by_claims)
    empty = {name: _run(()) for name in SLOTS if name in outer}
    empty |= {name: pack(per_route(None)) for name in (FILTER,) if name in outer}
    return {**empty, **configs}


def action_fields(leaves: Iterable[Leaf]) -> dict[str, Any]:
    """The fields of a RouteAction that features set, where the route itself sets none."""
    return {name: each for found in _encoded(leaves) for name, each in found.action.items()}


def stat_prefix(route: Route) -> dict[str, str]:
    """What a route's statistics are called, where a policy says so."""
    found = next((each.value for each in route.leaves if isinstance(each.value, StatPrefix)), None)
    if found is None:
        return {}
    namespace, name, rule, *_ = [*route.name.split("/"), "", "", ""]
    known = {
        "route_namespace": namespace if name else "",
        "route_name": name or namespace,
        "rule_name": "" if rule.isdigit() else rule,
    }
    return {"stat_prefix": _PUT.sub(lambda put: known[put[1]], found.template)}


def network_filters(leaves: Iterable[Leaf]) -> list[dict[str, Any]]:
    """The network filters of a chain that is not HTTP."""
    found = list(leaves)
    if any(isinstance(each.value, FailClosed) for each in found):
        return [_filter("envoy.filters.network.rbac", NetworkRBAC(stat_prefix="tcp.", rules={}))]
    return [_filter(*each) for found in _encoded(found) for each in found.network]


def _configs(leaves: tuple[Leaf, ...], by_claims: bool) -> dict[str, Any]:  # noqa: FBT001
    asked = _by_feature(leaves)
    found = {name: pack(each) for _, done in asked for name, each in done.per_route}
    required = requirement(leaves, clears=by_claims)
    if required is not None:
        found[FILTER] = pack(per_route(required))
    slots: dict[str, list[tuple[str, Message]]] = {name: [] for name in SLOTS}
    for each in sorted(asked, key=lambda each: _place(*each)):
        slots[_slot_of(_place(*each))] += each[1].filters
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


def _by_feature(leaves: Iterable[Leaf]) -> list[tuple[str, Encoded]]:
    """What each feature comes to, in the order in which they act; leaves that add up as one."""
    values: dict[str, list[Value]] = {}
    for leaf in leaves:
        if not isinstance(leaf.value, FailClosed):
            values.setdefault(leaf.feature, []).append(leaf.value)
    return [(name, _encode(name, values[name])) for name in sorted(values, key=ORDER.__getitem__)]


def _encoded(leaves: Iterable[Leaf]) -> list[Encoded]:
    return [done for _, done in _by_feature(leaves)]


def _encode(name: str, values: list[Value]) -> Encoded:
    feature = BY_NAME[name]
    return feature.encode(tuple(values) if feature.additive else values[0])


def _place(name: str, done: Encoded) -> Place:
    return done.place or Place(BY_NAME[name].stage)


def _slot_of(place: Place) -> str:
    if place >= Place(Stage.AUTHZ):
        return LATE
    if place >= Place(Stage.AUTHN, 1):
        return TOKENS
    return AUTHN if place >= Place(Stage.AUTHN, -1) else EARLY
