"""Limits as they are written, and which of them a descriptor has."""

from __future__ import annotations

import pytest

from serai.api.rate_limit_config import Wrong, parse
from serai.ratelimit.counters import counter_key
from serai.ratelimit.rules import Entries, Limit, Rules

TEXT = """
domain: shop
descriptors:
- key: remote_address
  rate_limit: {unit: minute, requests_per_unit: 100}
- key: remote_address
  value: 10.0.0.1
  rate_limit: {unlimited: true}
- key: path
  value: /v1/*
  rate_limit: {unit: second, requests_per_unit: 5}
- key: path
  value: /v1/orders*
  rate_limit: {unit: second, requests_per_unit: 1}
- key: tier
  value: gold
  descriptors:
  - key: client
    shadow_mode: true
    detailed_metric: true
    rate_limit: {unit: week, requests_per_unit: 7, name: gold, replaces: [{name: all}]}
  - key: off
    value: on
"""


def rules(text: str = TEXT) -> Rules:
    found = parse(text)
    assert not isinstance(found, Wrong), found
    return Rules(found)


def found(*entries: tuple[str, str], domain: str = "shop") -> Limit | None:
    return rules().limit(domain, entries)


def test_a_value_comes_before_how_it_begins_and_that_before_its_key() -> None:
    per_client, one = found(("remote_address", "10.0.0.2")), found(("remote_address", "10.0.0.1"))
    assert per_client == Limit(100, "minute", "remote_address")
    assert one and one.unlimited and one.path == "remote_address_10.0.0.1"
    orders, other = found(("path", "/v1/orders/7")), found(("path", "/v1/carts"))
    assert (orders and orders.amount, other and other.amount) == (1, 5)
    assert found(("path", "/v2")) is None


def test_a_nested_limit_is_for_the_whole_descriptor_only() -> None:
    gold = found(("tier", "gold"), ("client", "a"))
    assert gold == Limit(
        7, "week", "tier_gold.client_a", name="gold", replaces=("all",), shadow=True
    )
    assert gold.seconds == 7 * 86_400
    assert found(("tier", "gold")) is None
    assert found(("client", "a")) is None
    assert found(("tier", "gold"), ("client", "a"), ("more", "x")) is None
    assert found(("tier", "gold"), ("off", "on")) is None
    assert found(("remote_address", "1"), domain="other") is None


def test_plain_values_are_what_is_written() -> None:
    found = rules("domain: d\ndescriptors: [{key: on, value: 010, rate_limit: {unit: day}}]")
    assert found.limit("d", (("on", "010"),)) == Limit(0, "day", "on_010")


def test_two_domains_can_be_in_one_text_and_nothing_in_another() -> None:
    assert rules(f"{TEXT}\n---\ndomain: second\n---\n")._domains.keys() == {"second", "shop"}
    assert not rules("# nothing yet\n")._domains


LIMITED = "domain: d\ndescriptors: [{key: k, rate_limit: "


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("[1", "", "is no YAML"),
        ("domain: ''", "domain", "is empty"),
        ("domains: x", "", "unknown field"),
        ("descriptors: []", "", "required field"),
        ("domain: d\nlimits: x", "", "unknown field"),
        ("domain: d\n---\ndomain: d", "domain", "is there twice"),
        ("a: &a [x]\ndomain: *a", "", "alias"),
        ("[" * 40 + "]" * 40, "", "deeper"),
        ("domain: d\ndescriptors: [{key: ''}]", "descriptors[0].key", "is empty"),
        ("domain: d\ndescriptors: [{key: k}, {key: k}]", "descriptors[1]", "twice"),
        (LIMITED + "{unit: fortnight}}]", "descriptors[0].rate_limit.unit", "enum"),
        (LIMITED + "{requests_per_unit: 1}}]", "descriptors[0].rate_limit.unit", "needed"),
        (LIMITED + "{unit: day, requests_per_unit: -1}}]", "descriptors[0].rate_limit", "number"),
        (LIMITED + "{unit: day, unlimited: true}}]", "descriptors[0].rate_limit", "unlimited"),
        ("x" * (1 << 21), "", "longer"),
    ],
)
def test_what_is_wrong_is_told_with_its_field(text: str, path: str, message: str) -> None:
    wrong = parse(text)
    assert isinstance(wrong, Wrong)
    assert wrong.path.startswith(path)
    assert message in wrong.message


def test_no_two_descriptors_share_a_counter() -> None:
    descriptors: list[tuple[str, Entries]] = [
        ("d", (("a", "b"),)),
        ("d", (("a", "b"), ("c", "d"))),
        ("d", (("a", "b/c/d"),)),
        ("d/a", (("b", ""),)),
        ("d", (("a/b", ""),)),
        ("d", (("a", "%2F"),)),
        ("d", (("a", "/"),)),
        ("d", (("a", "x" * 300),)),
        ("d", (("a", "x" * 301),)),
    ]
    keys = [counter_key(*each) for each in descriptors]
    assert len(set(keys)) == len(keys)
    assert max(map(len, keys)) <= 200
