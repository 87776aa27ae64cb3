"""Priorities and weights, as a client at some place sees them."""

from __future__ import annotations

import msgspec
import pytest

from serai.ir.cluster import Endpoint, Health, Locality
from serai.ir.distribution import (
    NETWORK,
    SAME_NETWORK,
    SAME_NODE,
    SAME_ZONE,
    Distribution,
    Failover,
    Share,
    Shares,
)
from serai.ir.viewpoint import Viewpoint
from serai.model.locality import parse
from serai.translate.localities import in_use, localities, relevant

HERE = Viewpoint(Locality("eu", "a", "1"), "n1", "m1", (("version", "v1"),))


def at(place: str, network: str = "n1", node: str = "", **labels: str) -> Endpoint:
    address = f"{place} {network} {node}".strip()
    pairs = tuple(sorted(labels.items()))
    return Endpoint(address, 80, locality=parse(place), network=network, node=node, labels=pairs)


def order(
    endpoints: list[Endpoint], distribution: Distribution | None, viewpoint: Viewpoint | None = HERE
) -> list[list[str]]:
    """The addresses by priority."""
    found: dict[int, list[str]] = {}
    for each in localities(endpoints, distribution, viewpoint):
        found.setdefault(each.priority, []).extend(one.address for one in each.endpoints)
    assert list(found) == list(range(len(found)))
    return [sorted(found[priority]) for priority in found]


def test_without_a_distribution_all_are_alike() -> None:
    assert order([at("eu/a/1"), at("us/x")], None) == [["eu/a/1 n1", "us/x n1"]]


def test_the_first_label_that_differs_decides_and_gaps_are_closed() -> None:
    near, zone, region, network = at("eu/a/2"), at("eu/b"), at("us/a"), at("eu/a/1", "n2")
    assert order([network, region, zone, near], SAME_ZONE) == [
        ["eu/a/2 n1"],
        ["eu/b n1"],
        ["us/a n1"],
        ["eu/a/1 n2"],
    ]
    assert order([network, near], SAME_ZONE) == [["eu/a/2 n1"], ["eu/a/1 n2"]]
    assert order([at("us/a"), at("us/b")], SAME_ZONE) == [["us/a n1", "us/b n1"]]


def test_the_same_node_is_nearer_than_the_same_subzone() -> None:
    found = order([at("eu/a/1", node="m1"), at("eu/a/1", node="m2"), at("eu/a/2")], SAME_NODE)
    assert found == [["eu/a/1 n1 m1"], ["eu/a/1 n1 m2"], ["eu/a/2 n1"]]


def test_a_missing_network_is_another_one() -> None:
    assert order([at("us/x"), at("eu/a/1", "")], SAME_NETWORK) == [["us/x n1"], ["eu/a/1"]]


def test_one_locality_can_have_several_priorities() -> None:
    found = localities([at("eu/a", "n1"), at("eu/a", "n2")], SAME_NETWORK, HERE)
    assert [(each.locality.zone, each.priority) for each in found] == [("a", 0), ("a", 1)]


def test_a_client_that_says_nothing_finds_all_equally_near() -> None:
    for distribution in (SAME_ZONE, SAME_NODE, Failover(by_locality=True)):
        assert len(order([at("eu/a/1"), at("us/x", "n2")], distribution, None)) == 1


def test_given_values_are_what_endpoints_should_have() -> None:
    failover = Failover(("version=v1", f"{NETWORK}=n1"))
    endpoints = [
        at("eu/a/1", "n1", version="v1"),
        at("eu/a/2", "n2", version="v1"),
        at("eu/a/3", "n1", version="v2"),
        at("eu/b", ""),
    ]
    wanted = [["eu/a/1 n1"], ["eu/a/2 n2"], ["eu/a/3 n1", "eu/b"]]
    assert order(endpoints, failover) == wanted
    assert order(endpoints, failover, None) == wanted


def test_labels_of_the_client_count_where_no_value_is_given() -> None:
    found = order([at("us/a", version="v2"), at("us/b", version="v1")], Failover(("version",)))
    assert found == [["us/b n1"], ["us/a n1"]]


def test_by_locality_each_part_is_a_step() -> None:
    endpoints = [at("us/a/1"), at("eu/b/1"), at("eu/a/2"), at("eu/a/1")]
    assert order(endpoints, Failover(by_locality=True)) == [
        ["eu/a/1 n1"],
        ["eu/a/2 n1"],
        ["eu/b/1 n1"],
        ["us/a/1 n1"],
    ]


def test_a_region_that_is_next_comes_before_all_others() -> None:
    failover = Failover(by_locality=True, regions=(("asia", "eu"), ("eu", "us")))
    found = order([at("asia/a"), at("us/a"), at("eu/b")], failover)
    assert found == [["eu/b n1"], ["us/a n1"], ["asia/a n1"]]


def test_localities_tell_apart_what_labels_do_not() -> None:
    failover = Failover((NETWORK,), by_locality=True, regions=(("eu", "us"),))
    found = order([at("eu/a/1", "n2"), at("us/a"), at("asia/a"), at("eu/b")], failover)
    assert found == [["eu/b n1"], ["us/a n1"], ["asia/a n1"], ["eu/a/1 n2"]]


def weights(shares: Shares, viewpoint: Viewpoint | None = HERE) -> dict[str, int]:
    endpoints = [at("eu/a/1"), at("eu/a/2"), Endpoint("x", 80, 3, parse("eu/b")), at("us/a")]
    found = localities(endpoints, shares, viewpoint)
    assert {each.priority for each in found} == {0}
    return {f"{each.locality.zone}{each.locality.subzone}": each.weight for each in found}


def test_shares_are_divided_as_endpoints_weigh_and_others_get_nothing() -> None:
    shares = Shares((Share("eu/a/*", (("eu/*", 50), ("eu/a/1", 30), ("us", 20))),))
    got = weights(shares)
    assert got == {"a1": 30, "a2": 13, "b": 38, "a": 20}
    assert weights(Shares((Share("eu/a", (("eu/b/*", 100),)),))) == {"b": 100}


def test_the_first_share_for_the_client_counts_and_none_leaves_all_as_it_was() -> None:
    one, other = Share("us/*", (("us/*", 100),)), Share("*", (("eu/b", 100),))
    assert weights(Shares((one, other))) == {"b": 100}
    assert weights(Shares((one,))) == {"a1": 1, "a2": 1, "b": 3, "a": 1}


@pytest.mark.parametrize("distribution", [SAME_NETWORK, SAME_ZONE, SAME_NODE])
def test_only_what_a_distribution_looks_at_makes_a_difference(distribution: Failover) -> None:
    seen = relevant(distribution, HERE)
    endpoints = [at("eu/a/1", node="m1"), at("eu/b"), at("us/a", "n2"), at("eu/a/1", "")]
    assert localities(endpoints, distribution, seen) == localities(endpoints, distribution, HERE)
    assert seen.labels == ()
    assert (seen.node == "m1") == (distribution is SAME_NODE)


def test_traffic_leaves_a_priority_when_too_few_are_healthy() -> None:
    sick = [
        Endpoint(f"sick{n}", 80, locality=parse("eu/a"), health=Health.UNHEALTHY, network="n1")
        for n in range(2)
    ]
    fit = [Endpoint(f"fit{n}", 80, locality=parse("eu/a"), network="n1") for n in range(3)]
    far = at("us/a")
    few = localities([*sick, *fit[:2], far], SAME_ZONE, HERE)
    many = localities([sick[0], *fit, far], SAME_ZONE, HERE)
    assert [each.address for each in in_use(few)] == ["fit0", "fit1", "us/a n1"]
    assert [each.address for each in in_use(many)] == ["fit0", "fit1", "fit2"]


@pytest.mark.parametrize("distribution", [None, SAME_ZONE])
def test_weights_that_are_more_than_envoy_takes_keep_their_proportions(
    distribution: Distribution | None,
) -> None:
    weights = {"eu/a": 2**32 - 1, "eu/b": 2**32 - 1, "us/x": 1}
    endpoints = [msgspec.structs.replace(at(each), weight=weights[each]) for each in weights]
    found = [each for one in localities(endpoints, distribution, HERE) for each in one.endpoints]
    assert [each.weight for each in found] == [2**31 - 3, 2**31 - 3, 1]
    assert sum(each.weight for each in found) <= 2**32 - 1
