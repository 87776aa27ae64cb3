"""Whose requests a consumer's route takes: those of its namespace, in any of the trust domains."""

from __future__ import annotations

import pytest
import re2

from serai.ir.match import PathKind, PathMatch, RequestMatch
from serai.xds.encode.match import encode_match

MATCH = RequestMatch(PathMatch(PathKind.PREFIX, "/"), client_namespace="shop")


def test_one_trust_domain_is_a_prefix() -> None:
    [found] = encode_match(MATCH, ("cluster.local",))["filter_state"]
    assert found["string_match"] == {"prefix": "spiffe://cluster.local/ns/shop/"}


@pytest.mark.parametrize(
    ("identity", "taken"),
    [
        ("spiffe://cluster.local/ns/shop/sa/web", True),
        ("spiffe://old-name/ns/shop/sa/web", True),
        ("spiffe://clusterxlocal/ns/shop/sa/web", False),
        ("spiffe://cluster.local/ns/shopping/sa/web", False),
        ("spiffe://other/ns/shop/sa/web", False),
        ("x-spiffe://old-name/ns/shop/sa/web", False),
    ],
)
def test_former_names_of_the_trust_domain_count(identity: str, taken: bool) -> None:  # noqa: FBT001
    [found] = encode_match(MATCH, ("cluster.local", "old-name"))["filter_state"]
    pattern = found["string_match"]["safe_regex"]["regex"]
    assert bool(re2.fullmatch(pattern, identity)) is taken
