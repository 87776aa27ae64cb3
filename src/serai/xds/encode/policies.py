"""Leaves -> what connection managers and routes say of filters.

Every connection manager has the same few filters, which do nothing by themselves: whatever a
policy asks for is in the routes, so that no policy ever changes a listener, which would drain its
connections.  Rows of slots run any filters that a route brings along; between them are those that
decide by what is known of the caller.  Envoy: composite filter, ExtensionWithMatcherPerRoute.

A slot may run several filters only as long as none of them waits for something: when one that
waited goes on, Envoy goes on after the slot, and skips what is left in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from google.protobuf.message import Message

from serai.ir.leaf import FailClosed, Leaf
from serai.ir.origin import Value
from serai.ir.route import Route
from serai.policies import BY_NAME, ORDER
from serai.policies.authorization import FILTERS as AUTHORIZATION
from serai.policies.authorization import tried_prefix
from serai.policies.authorization.gate import closed
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
)
from serai.proto.pool import pack
from serai.xds.encode import tokens
from serai.xds.encode.body import extension

EARLY, AUTHN, LATE = "serai.policies.early", "serai.policies.authn", "serai.policies.late"
TOKENS, AUTHZ = "serai.policies.tokens", "serai.policies.authz"
"""The rows: before it is known who calls, to find that out, after it was decided upon; what is
done with what tokens say, once those were verified; and what else decides who may call."""
SLOTS = {EARLY: 4, AUTHN: 8, TOKENS: 4, AUTHZ: 3, LATE: 12}
"""How many slots each row has.  Where a route needs more, nothing may pass."""
NEVER_WAIT = (
    *("rbac", "basic_auth", "api_key_auth", "csrf", "local_ratelimit", "header_mutation"),
    *("compressor.", "decompressor."),
)
"""Filters that decide at once, on requests and on answers; a dot: all whose names go on so."""
_Named = tuple[str, Message]
_PUT = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def http_filters(answering: tuple[tuple[str, Message], ...] = ()) -> list[dict[str, Any]]:
    """The filters of every connection manager that policies use.

    What is `answering` for Envoy itself comes once it is decided who may call.
    """
    deciding = [
        extension(name, HttpRBAC(shadow_rules_stat_prefix=tried_prefix(action)))
        for action, name in AUTHORIZATION.items()
    ]
    own = [extension(*each) for each in answering]
    before = [extension(CORS, Cors()), *_row(EARLY), *_row(AUTHN)]
    decided = [tokens.filter_of_manager(), *_row(TOKENS), *deciding, *_row(AUTHZ)]
    return [*before, *decided, *own, *_row(LATE)]


def route_filters(
    leaves: tuple[Leaf, ...], around: tuple[Leaf, ...] = (), *, by_claims: bool = False
) -> dict[str, Any]:
    """The `typed_per_filter_config` of a route whose virtual host has what is `around` it.

    `by_claims`: whether routes there are chosen by what tokens claim.
    """
    if leaves == around and not look_further_out(leaves):
        return {}
    configs, outer = _configs(leaves, by_claims), _configs(around, by_claims)
    empty = {name: run(()) for row in SLOTS for name in _names(row) if name in outer}
    empty |= {name: pack(per_route(None)) for name in (FILTER,) if name in outer}
    return {**empty, **configs}


def outer_filters(leaves: tuple[Leaf, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What filters look up for themselves, by their slots; and what those slots run then.

    A slot runs what the innermost configuration for it says, and its filter finds its own in any
    but the innermost: so what the slot runs has to stand inside of it, at the cluster.
    """
    outer, inner = dict[str, Any](), dict[str, Any]()
    if not look_further_out(leaves):
        return outer, inner
    asked = _by_feature(leaves)
    own = {id(done.filters[0]): done.outer for _, done in asked if done.outer is not None}
    for name, part in _runs(asked).items():
        for found in (own[id(each)] for each in part if id(each) in own):
            outer[name], inner[name] = pack(found), run(part)
    return outer, inner


def look_further_out(leaves: Iterable[Leaf]) -> bool:
    """Whether filters for these leaves look up more than what slots run."""
    return any(
        BY_NAME[each.feature].needs_backend(each.value)
        for each in leaves
        if not isinstance(each.value, FailClosed)
    )


def action_fields(leaves: Iterable[Leaf]) -> dict[str, Any]:
    """The fields of a RouteAction that features set, where the route itself sets none."""
    return {name: each for found in _encoded(leaves) for name, each in found.action.items()}


def route_fields(leaves: Iterable[Leaf]) -> dict[str, Any]:
    """The fields of a Route that features set."""
    return {name: each for found in _encoded(leaves) for name, each in found.route.items()}


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
        return [extension(*closed())]
    return [extension(*each) for found in _encoded(found) for each in found.network]


def _configs(leaves: tuple[Leaf, ...], by_claims: bool) -> dict[str, Any]:  # noqa: FBT001
    asked = _by_feature(leaves)
    found = {name: pack(each) for _, done in asked for name, each in done.per_route}
    required = requirement(leaves, clears=by_claims)
    if required is not None:
        found[FILTER] = pack(per_route(required))
    return {**found, **{name: run(part) for name, part in _runs(asked).items()}}


def _runs(asked: list[tuple[str, Encoded]]) -> dict[str, tuple[_Named, ...]]:
    """By slot, what it runs."""
    slots: dict[str, list[_Named]] = {name: [] for name in SLOTS}
    for each in sorted(asked, key=lambda each: _place(*each)):
        slots[_slot_of(_place(*each))] += each[1].filters
    return {name: part for row, run in slots.items() for name, part in _parts(row, run)}


def _parts(row: str, run: Sequence[_Named]) -> Iterator[tuple[str, tuple[_Named, ...]]]:
    """What each slot of a row runs: a filter that may wait is alone in its own."""
    parts: list[list[_Named]] = []
    for each in run:
        if parts and _decides_at_once(each) and _decides_at_once(parts[-1][-1]):
            parts[-1].append(each)
        else:
            parts.append([each])
    if len(parts) > SLOTS[row]:
        parts = [[("envoy.filters.http.rbac", HttpRBAC(rules={}))]]
    return zip(_names(row), map(tuple, parts), strict=False)


def _decides_at_once(found: _Named) -> bool:
    name = found[0].removeprefix("envoy.filters.http.")
    return any(name == each or (each[-1] == "." and name.startswith(each)) for each in NEVER_WAIT)


def _names(row: str) -> tuple[str, ...]:
    return (row, *(f"{row}.{number}" for number in range(2, SLOTS[row] + 1)))


def _row(name: str) -> list[dict[str, Any]]:
    return [slot(each) for each in _names(name)]


def run(filters: tuple[tuple[str, Message], ...]) -> dict[str, Any]:
    """What a slot does for a route: these filters, in this order."""
    if not filters:
        return pack(ExtensionWithMatcherPerRoute(xds_matcher={}))
    chain = [extension(name, message) for name, message in filters]
    action = ExecuteFilterAction(filter_chain={"typed_config": chain})
    matcher = {"on_no_match": {"action": extension("run", action)}}
    return pack(ExtensionWithMatcherPerRoute(xds_matcher=matcher))


def slot(name: str) -> dict[str, Any]:
    """A filter of a connection manager that runs what routes say under its name."""
    composite = extension("envoy.filters.http.composite", Composite())
    return extension(name, ExtensionWithMatcher(xds_matcher={}, extension_config=composite))


def _by_feature(leaves: Iterable[Leaf]) -> list[tuple[str, Encoded]]:
    """What each feature comes to, in the order in which they act; leaves that add up as one."""
    values: dict[str, list[Value]] = {}
    for leaf in leaves:
        if not isinstance(leaf.value, FailClosed):
            values.setdefault(leaf.feature, []).append(leaf.value)
    whole = ((name, _encode(name, values[name])) for name in sorted(values, key=ORDER.__getitem__))
    return [(name, part) for name, done in whole for part in (done, *done.also)]


def _encoded(leaves: Iterable[Leaf]) -> list[Encoded]:
    return [done for _, done in _by_feature(leaves)]


def _encode(name: str, values: list[Value]) -> Encoded:
    feature = BY_NAME[name]
    return feature.encode(feature.together(values))


def _place(name: str, done: Encoded) -> Place:
    return done.place or Place(BY_NAME[name].stage)


def _slot_of(place: Place) -> str:
    if place >= Place(Stage.AUTHZ, 1):
        return LATE
    if place >= Place(Stage.AUTHZ):
        return AUTHZ
    if place >= Place(Stage.AUTHN, 1):
        return TOKENS
    return AUTHN if place >= Place(Stage.AUTHN, -1) else EARLY
