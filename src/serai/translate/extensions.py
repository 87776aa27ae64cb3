"""What the ExtensionRef filters of a rule name: a policy of its own, or an answer.

Gateway API: HTTPRouteFilter.extensionRef; what cannot be resolved must not be skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from serai.api.direct_response import BodyFormat, DirectResponse
from serai.api.httproute import LocalObjectReference
from serai.api.kgateway import GROUP
from serai.api.meta import Key
from serai.api.routes import REQUESTS, Route
from serai.backends import Invalid
from serai.incremental import Graph, Index, Node, Reader
from serai.ir.format import Format
from serai.ir.leaf import Leaf
from serai.ir.origin import Value
from serai.ir.route import DirectResponse as Answer
from serai.translate.policies import Policies

KINDS = ("TrafficPolicy", "DirectResponse")


class Extension(Value, frozen=True):
    """What one ExtensionRef comes to."""

    leaves: tuple[Leaf, ...] = ()
    answer: Answer | None = None


Extend = Callable[[LocalObjectReference], Extension | Invalid]


class Extensions(msgspec.Struct, frozen=True):
    """Where ExtensionRefs are looked up, and by whom each object is named."""

    policies: Policies
    answers: Node[Key, DirectResponse]
    named_by: Index[Key, Key]
    """The routes that name an object in a filter."""

    def find(self, reader: Reader, route: Key, ref: LocalObjectReference) -> Extension | Invalid:
        """What a filter of a route names in the route's namespace."""
        if ref.group != GROUP or ref.kind not in KINDS:
            shown = f"{ref.group}/{ref.kind}".lstrip("/")
            words = f"{shown} is not a kind of filter; those are {', '.join(KINDS)} of {GROUP}"
            return Invalid("InvalidKind", words)
        key = Key(ref.kind, route.namespace, ref.name)
        if ref.kind == "DirectResponse":
            found = reader.get(self.answers, key)
            if found is not None:
                return Extension(answer=_answer(found))
        else:
            policy = reader.get(self.policies.compiled, key)
            if policy is not None:
                return Extension(policy.leaves)
        return Invalid("BackendNotFound", f"{key} does not exist")


def extensions(
    graph: Graph, policies: Policies, answers: Node[Key, DirectResponse], routes: Node[Key, Route]
) -> Extensions:
    """The lookups, over all routes."""
    named_by: Index[Key, Key] = Index(graph, "routes by extension", routes, _named)
    return Extensions(policies, answers, named_by)


def _named(key: Key, route: Route) -> Iterator[Key]:
    if key.kind not in REQUESTS:
        return
    rules: tuple[Any, ...] = route.spec.rules
    for rule in rules:
        for filters in (rule.filters, *(ref.filters for ref in rule.backend_refs)):
            for each in filters:
                ref = each.extension_ref
                if ref is not None and ref.group == GROUP and ref.kind in KINDS:
                    yield Key(ref.kind, key.namespace, ref.name)


def _answer(found: DirectResponse) -> Answer:
    spec = found.spec
    body_format = to_format(spec.body_format) if spec.body_format else None
    return Answer(spec.status, spec.body or "", body_format)


def to_format(found: BodyFormat) -> Format:
    """A body with operators, as users write it."""
    json = "" if found.json is None else msgspec.json.encode(found.json, order="sorted").decode()
    return Format(found.text or "", json, found.content_type or "")
