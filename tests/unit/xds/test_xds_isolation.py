"""Dividing what was rejected."""

from __future__ import annotations

import pytest

from serai.xds.isolation import divide, mentioned


@pytest.mark.parametrize(
    ("message", "names"),
    [
        ("Error adding/updating cluster(s) X: X cluster must support HTTP/2", {"X"}),
        ("Only a single wildcard domain is permitted in route R3", {"R3"}),
        ("first scope is 's10', second scope is 's11'", {"s10", "s11"}),
        ('cluster_name: "kube_shop_cart_80"\nendpoints {', {"kube_shop_cart_80"}),
        ("outbound|80||cart.shop.svc: bad", {"outbound|80||cart.shop.svc"}),
        ("malformed IP address: nope.", set()),
        ("", set()),
    ],
)
def test_names_are_found_in_what_envoy_says(message: str, names: set[str]) -> None:
    known = ("X", "R3", "R", "s1", "s10", "s11", "kube_shop_cart_80", "outbound|80||cart.shop.svc")
    assert mentioned(known, message) == names


def test_what_is_mentioned_comes_second() -> None:
    assert divide(("a", "b", "c"), "b is bad") == (("a", "c"), ("b",))


@pytest.mark.parametrize("message", ["", "nothing known", "a b c"])
def test_without_a_hint_there_are_halves(message: str) -> None:
    assert divide(("a", "b", "c"), message) == (("a", "b"), ("c",))
