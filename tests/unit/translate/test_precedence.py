"""Which leaves are in force, as far as the cases do not show it."""

from __future__ import annotations

from serai.api.kgateway import Inheritance
from serai.api.meta import Key
from serai.ir.leaf import FailClosed, Leaf
from serai.ir.origin import Origin
from serai.policies.transformation.values import Changes, Side, merged
from serai.translate.precedence import first_of_each, inherited

NOTHING = Changes(Side(), Side())
REFUSED = FailClosed(500, "it cannot be done")


def leaf(feature: str, kind: str, name: str, value: Changes | FailClosed = NOTHING) -> Leaf:
    return Leaf(feature, value, Origin(Key(kind, "shop", name)))


def in_force(asked: Inheritance, inner: list[Leaf], outer: list[Leaf]) -> list[str]:
    return [each.origin.key.name for each in first_of_each([*inner, *inherited(outer, asked)])]


def test_what_a_route_says_of_itself_stays_first() -> None:
    inner = [leaf("cors", "HTTPRoute", "filter"), leaf("csrf", "TrafficPolicy", "inner")]
    outer = [leaf("cors", "TrafficPolicy", "outer"), leaf("csrf", "TrafficPolicy", "outer")]
    assert in_force(Inheritance.SHALLOW_PARENT, inner, outer) == ["filter", "outer"]
    assert in_force(Inheritance.SHALLOW_CHILD, inner, outer) == ["filter", "inner"]


def test_policies_that_add_up_all_stay() -> None:
    inner = [leaf("AuthorizationPolicy", "AuthorizationPolicy", "inner")]
    outer = [leaf("AuthorizationPolicy", "AuthorizationPolicy", "outer")]
    for asked in Inheritance:
        assert in_force(asked, inner, outer) == ["inner", "outer"]


def test_only_what_can_merge_is_merged() -> None:
    inner = [leaf(name, "TrafficPolicy", "inner") for name in ("transformation", "csrf")]
    outer = [leaf(name, "TrafficPolicy", "outer") for name in ("transformation", "csrf")]
    found = in_force(Inheritance.DEEP_PARENT, inner, outer)
    assert found == ["outer", "outer", "inner"]


def test_of_two_that_merge_one_that_is_refused_stays_alone() -> None:
    good = [leaf("transformation", "TrafficPolicy", "good")]
    bad = [leaf("transformation", "TrafficPolicy", "bad", REFUSED)]
    for asked in (Inheritance.DEEP_CHILD, Inheritance.DEEP_PARENT):
        assert in_force(asked, good, bad) == ["bad"]
        assert in_force(asked, bad, good) == ["bad"]


def test_two_at_the_gateway_do_not_merge_with_each_other() -> None:
    outer = [leaf("transformation", "TrafficPolicy", name) for name in ("section", "whole")]
    assert in_force(Inheritance.DEEP_CHILD, [], outer) == ["section"]


def test_bodies_and_metadata_are_as_the_first_says() -> None:
    first = Side(body=(), metadata=(("a", "b", ()),), remove=("x",))
    other = Side(body=None, metadata=(("a", "b", ()), ("a", "c", ())), remove=("x", "y"))
    both = Side(body=(), metadata=(("a", "b", ()), ("a", "c", ())), remove=("x", "y"))
    assert merged(Changes(first, Side()), Changes(other, Side())).request == both
    assert merged(Changes(other, Side()), Changes(first, Side())).request == both
