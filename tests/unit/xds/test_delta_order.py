"""Delta ADS: make before break."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from serai.proto.envoy import JwtPerRoute, RouteConfiguration, TypedExtensionConfig
from serai.proto.pool import pack
from serai.xds.order import WITHHELD_SECONDS
from serai.xds.references import SCOPES
from serai.xds.resource import Resource, ResourceKey
from serai.xds.waits import ADDITION_SECONDS, REMOVAL_SECONDS
from unit.xds.speaker import (
    C,
    E,
    L,
    R,
    S,
    Speaker,
    X,
    cluster,
    endpoints,
    listener,
    made,
    plain,
    routes,
    scope,
)

SHOP = (cluster("a"), endpoints("a"), listener("l"), scope("s", "r"), routes("r", "a"))


def connected(*resources: Resource) -> Speaker:
    """A client like Envoy that has everything."""
    speaker = Speaker(*resources)
    named = {type_: [res.name for res in resources if res.type is type_] for type_ in (E, R)}
    for type_ in (C, E, L, S, R):
        speaker.ask(type_, *named.get(type_, ()))
        speaker.settle()
    speaker.sent.clear()
    speaker._answered = 0
    return speaker


def test_all_of_a_first_sync_comes_in_order() -> None:
    speaker = Speaker(*SHOP)
    assert speaker.ask(C) == ["C a@1"]
    assert speaker.ask(E, "a") == ["E a@1"]
    speaker.settle()
    assert speaker.ask(L) == ["L l@1"]
    assert speaker.ask(S) == ["S s@1"]
    assert speaker.ask(R, "r") == ["R r@1"]


def test_endpoints_do_not_wait_for_the_ack_of_their_cluster() -> None:
    speaker = Speaker(*SHOP)
    assert speaker.ask(C) == ["C a@1"]
    assert speaker.ask(E, "a") == ["E a@1"]


def test_a_changed_cluster_is_followed_by_its_unchanged_endpoints() -> None:
    speaker = connected(*SHOP)
    assert speaker.change(cluster("a", "2")) == ["C a@2", "E a@1"]


def test_a_changed_cluster_is_followed_by_its_changed_endpoints_once() -> None:
    speaker = connected(*SHOP)
    assert speaker.change(endpoints("a", "2"), cluster("a", "2")) == ["C a@2", "E a@2"]
    assert speaker.settle() == []


def test_endpoints_that_are_under_way_are_sent_again_behind_their_cluster() -> None:
    speaker = connected(*SHOP)
    assert speaker.change(endpoints("a", "2")) == ["E a@2"]
    assert speaker.change(cluster("a", "2")) == ["C a@2"]
    assert speaker.ack(E) == ["E a@2"]


def test_a_route_to_a_new_cluster_waits_for_it() -> None:
    speaker = connected(*SHOP)
    changed = speaker.change(cluster("b"), endpoints("b"), routes("r", "b", version="2"))
    assert changed == ["C b@1"]
    assert speaker.ask(E, "b") == ["E b@1"]
    assert speaker.ack(E) == []
    assert speaker.ack(C) == ["R r@2"]


def test_a_route_whose_cluster_never_becomes_ready_is_sent_after_a_while() -> None:
    speaker = connected(*SHOP)
    speaker.change(cluster("b"), endpoints("b"), routes("r", "b", version="2"))
    assert speaker.later(ADDITION_SECONDS - 0.1) == []
    assert speaker.stream.deadline(speaker.now) == pytest.approx(speaker.now + 0.1)
    assert speaker.later(0.2) == ["R r@2"]


def test_other_routes_do_not_wait_with_it() -> None:
    speaker = connected(*SHOP, routes("q", "a"), scope("s2", "q"))
    speaker.change(cluster("b"), routes("r", "b", version="2"))
    assert speaker.change(routes("q", "a", version="2")) == ["R q@2"]


def test_a_route_to_a_changed_cluster_does_not_wait() -> None:
    speaker = connected(*SHOP)
    changed = speaker.change(cluster("a", "2"), routes("r", "a", version="2"))
    assert changed == ["C a@2", "E a@1", "R r@2"]


def test_a_route_to_a_cluster_that_does_not_exist_is_sent() -> None:
    speaker = connected(*SHOP)
    assert speaker.change(routes("r", "ghost", version="2")) == ["R r@2"]


def test_a_route_stops_waiting_when_its_cluster_goes() -> None:
    speaker = connected(*SHOP)
    speaker.change(cluster("b"), routes("r", "b", version="2"))
    assert speaker.remove(cluster("b")) == ["R r@2"]


def test_the_newest_route_is_sent_after_the_wait() -> None:
    speaker = connected(*SHOP)
    speaker.change(cluster("b"), routes("r", "b", version="2"))
    speaker.change(routes("r", "a", "b", version="3"))
    assert speaker.ack(C) == ["R r@3"]


def test_a_route_that_changes_its_mind_does_not_wait_any_more() -> None:
    speaker = connected(*SHOP)
    speaker.change(cluster("b"), routes("r", "b", version="2"))
    assert speaker.change(routes("r", "a", version="3")) == ["R r@3"]


def test_a_new_scope_waits_for_the_clusters_of_its_route() -> None:
    speaker = connected(*SHOP)
    changed = speaker.change(cluster("b"), endpoints("b"), routes("rb", "b"), scope("sb", "rb"))
    assert changed == ["C b@1"]
    assert speaker.ack(C) == ["S sb@1"]
    assert speaker.ask(R, "rb") == ["R rb@1"]


def test_a_new_listener_waits_for_the_clusters_of_its_route() -> None:
    speaker = connected(*SHOP)
    assert speaker.change(plain("b"), routes("rb", "b"), listener("lb", "rb")) == ["C b@1"]
    assert speaker.ack(C) == ["L lb@1"]


def test_a_scope_that_names_no_route_waits_for_one_without_limit() -> None:
    """Envoy 1.40 would hold back the whole listener."""
    speaker = connected(*SHOP)
    assert speaker.change(scope("s9", "ghost")) == []
    assert speaker.later(3600) == []
    assert speaker.change(routes("ghost", "a")) == ["S s9@1"]


def test_a_withheld_ack_of_clusters_does_not_starve_other_clusters() -> None:
    speaker = connected(*SHOP)
    speaker.change(cluster("stuck"), endpoints("stuck"))
    assert speaker.change(plain("b")) == []
    assert speaker.later(WITHHELD_SECONDS) == ["C b@1"]
    assert speaker.change(plain("c")) == ["C c@1"]


def test_acks_that_were_withheld_count_when_they_come() -> None:
    speaker = connected(*SHOP)
    speaker.change(cluster("stuck"))
    first = speaker.last(C).nonce
    speaker.later(WITHHELD_SECONDS)
    speaker.change(plain("b"))
    second = speaker.last(C).nonce
    speaker.ask(C, nonce=first)
    speaker.ask(C, nonce=second)
    ledger = speaker.stream.conversation.ledgers[C]
    assert (ledger.held_version("stuck"), ledger.held_version("b")) == ("1", "1")
    assert ledger.idle


def test_while_acks_are_withheld_endpoints_tell_that_a_cluster_is_ready() -> None:
    speaker = connected(*SHOP)
    speaker.change(cluster("stuck"), endpoints("stuck"))
    speaker.later(WITHHELD_SECONDS)
    speaker.change(cluster("b"), endpoints("b"), routes("r", "b", version="2"))
    assert speaker.ask(E, "b") == ["E b@1"]
    assert speaker.ack(E) == ["R r@2"]


def test_endpoints_acknowledged_before_the_ack_counts_as_withheld_count_then() -> None:
    speaker = connected(*SHOP)
    speaker.change(cluster("stuck"), cluster("b"), endpoints("b"), routes("r", "b", version="2"))
    assert speaker.ask(E, "b") == ["E b@1"]
    assert speaker.ack(E) == []
    assert speaker.later(WITHHELD_SECONDS) == ["R r@2"]


def test_a_cluster_goes_after_the_route_that_named_it() -> None:
    speaker = connected(*SHOP, plain("b"))
    changed = speaker.change(routes("r", "b", version="2"), removed=(cluster("a").key,))
    assert changed == ["R r@2"]
    assert speaker.ack(R) == ["C -a"]


def test_a_service_goes_scope_first_and_cluster_last() -> None:
    speaker = connected(*SHOP)
    gone = (cluster("a"), endpoints("a"), scope("s", "r"), routes("r", "a"))
    assert speaker.remove(*gone) == ["S -s"]
    assert speaker.ack(S) == ["R -r"]
    assert speaker.ack(R) == ["C -a"]
    assert speaker.ack(C) == ["E -a"]
    assert speaker.ack(E) == []


def test_a_client_that_unsubscribes_from_the_route_lets_its_cluster_go() -> None:
    speaker = connected(*SHOP)
    speaker.remove(cluster("a"), endpoints("a"), scope("s", "r"), routes("r", "a"))
    assert speaker.ask(R, unsubscribe=("r",)) == ["C -a"]
    speaker.ask(E, unsubscribe=("a",))
    assert speaker.settle() == []


def test_a_cluster_goes_anyway_if_nothing_is_heard_of_its_route() -> None:
    speaker = connected(*SHOP)
    speaker.change(routes("r", version="2"), removed=(cluster("a").key,))
    assert speaker.later(REMOVAL_SECONDS - 0.1) == []
    assert speaker.later(0.2) == ["C -a"]


def test_a_cluster_that_comes_back_is_not_removed() -> None:
    speaker = connected(*SHOP)
    speaker.change(routes("r", version="2"), removed=(cluster("a").key,))
    assert speaker.change(cluster("a")) == []
    assert speaker.ack(R) == []
    assert speaker.later(60) == []


def test_a_cluster_that_comes_back_changed_is_sent_as_changed() -> None:
    speaker = connected(*SHOP)
    speaker.change(routes("r", version="2"), removed=(cluster("a").key,))
    assert speaker.change(cluster("a", "2")) == ["C a@2", "E a@1"]


def test_a_route_to_a_cluster_under_removal_waits_until_it_is_back() -> None:
    speaker = connected(*SHOP, plain("b"))
    assert speaker.remove(plain("b")) == ["C -b"]
    assert speaker.change(plain("b"), routes("r", "b", version="2")) == []
    assert speaker.ack(C) == ["C b@1"]
    assert speaker.ack(C) == ["R r@2"]


def test_a_cluster_named_by_two_routes_goes_after_both() -> None:
    speaker = connected(*SHOP, routes("q", "a"))
    speaker.change(routes("r", version="2"), removed=(cluster("a").key,))
    assert speaker.ack(R) == []
    assert speaker.change(routes("q", version="2")) == ["R q@2"]
    assert speaker.ack(R) == ["C -a"]


def test_a_scope_is_replaced_in_one_response() -> None:
    """Two scopes with one key would be refused."""
    speaker = connected(*SHOP)
    assert speaker.change(scope("t", "r"), removed=(scope("s", "r").key,)) == ["S -s t@1"]


def test_a_scope_is_not_taken_away_before_its_successor_can_come() -> None:
    speaker = connected(*SHOP)
    changed = speaker.change(
        plain("b"), routes("rb", "b"), scope("t", "rb"), removed=(scope("s", "r").key,)
    )
    assert changed == ["C b@1"]
    assert speaker.ack(C) == ["S -s t@1"]


def test_a_scope_that_goes_while_it_waits_holds_nothing_up() -> None:
    speaker = connected(*SHOP)
    speaker.change(plain("b"), routes("rb", "b"), scope("s", "rb", version="2"))
    assert speaker.remove(scope("s", "rb")) == ["S -s"]


def test_a_client_that_never_asked_for_clusters_gets_routes_at_once() -> None:
    speaker = Speaker(*SHOP)
    assert speaker.ask(R, "r") == ["R r@1"]


def tokens(version: str) -> Resource:
    return made(X, "serai.tokens", version, TypedExtensionConfig(name=f"serai.tokens{version}"))


def asking(version: str) -> Resource:
    """A route configuration with a route that requires something of tokens."""
    config = {"serai.tokens": pack(JwtPerRoute(requirement_name=version))}
    host = {"name": "v", "typed_per_filter_config": config}
    return made(R, "r", version, RouteConfiguration(name="r", virtual_hosts=[host]))


def test_routes_wait_for_the_filter_that_knows_what_they_require_of_tokens() -> None:
    client = Speaker(tokens("1"), asking("1"))
    client.ask(X, "serai.tokens")
    client.ask(R, "r")
    client.ack(X)
    client.ack(R)
    assert client.change(tokens("2"), asking("2")) == ["X serai.tokens@2"]
    assert client.ack(X) == ["R r@2"]
    client.ack(R)
    assert client.change(tokens("3"), asking("3")) == ["X serai.tokens@3"]
    assert client.nack(X) == ["R r@3"]


def test_keys_that_change_hold_up_no_routes_that_stay() -> None:
    client = Speaker(tokens("1"), asking("1"), plain("c"), routes("other", "c"))
    client.ask(X, "serai.tokens")
    client.ask(R, "r", "other")
    client.settle()
    client.change(tokens("2"))
    assert client.change(routes("other", version="2")) == ["R other@2"]


def leading(name: str, *scopes: str, version: str = "2") -> Resource:
    """Routes that lead on to scopes."""
    found = tuple(ResourceKey(S, each) for each in scopes)
    return replace(routes(name, version=version), references=found)


PARTS = (scope("p1", "r1"), scope("p2", "r2"), routes("r1", "a"), routes("r2", "a"))


def test_routes_that_lead_on_wait_for_the_scopes_and_for_their_routes() -> None:
    speaker = connected(*SHOP)
    assert speaker.change(leading("r", "p1", "p2"), *PARTS) == ["S p1@1 p2@1"]
    assert speaker.later(3600) == []
    assert speaker.ack(S) == []
    assert speaker.ask(R, "r1") == ["R r1@1"]
    assert speaker.ack(R, names=("r2",)) == ["R r2@1"]
    assert speaker.ack(R) == ["R r@2"]


def test_scopes_stay_until_nothing_leads_to_them() -> None:
    speaker = connected(*SHOP[:-1], leading("r", "p1", "p2", version="1"), *PARTS)
    removed = tuple(each.key for each in PARTS)
    assert speaker.change(routes("r", "a", version="2"), removed=removed) == ["R r@2"]
    assert [set(each.split()) for each in speaker.ack(R)] == [{"S", "-p1", "-p2"}]
    assert [set(each.split()) for each in speaker.ack(S)] == [{"R", "-r1", "-r2"}]


def test_a_client_that_has_nothing_gets_all_scopes_at_once() -> None:
    speaker = Speaker(*SHOP[:-1], leading("r", "p1"), *PARTS)
    speaker.ask(C)
    speaker.ask(E, "a")
    speaker.settle()
    assert speaker.ask(L) == ["L l@1"]
    assert speaker.ask(S) == ["S s@1 p1@1 p2@1"]
    assert speaker.ask(R, "r", "r1", "r2") == ["R r1@1 r2@1"]
    speaker.ack(S)
    assert speaker.ack(R) == ["R r@2"]


def test_a_part_that_is_refused_keeps_no_other_from_being_led_to() -> None:
    speaker = connected(*SHOP)
    speaker.change(leading("r", "p1", "p2"), *PARTS)
    speaker.ack(S)
    speaker.ask(R, "r1")
    speaker.nack(R)
    speaker.ask(R, "r2")
    assert speaker.ack(R) == ["R r@2"]


def test_a_chain_waits_for_the_scope_that_it_finds_its_routes_by() -> None:
    speaker = connected(*SHOP)
    found = replace(listener("m"), references=(ResourceKey(S, "n"),))
    assert speaker.change(found, scope("n", "rn"), routes("rn", "a")) == ["S n@1"]
    speaker.ack(S)
    assert speaker.ask(R, "rn") == ["R rn@1"]
    assert speaker.ack(R) == ["L m@1"]


def test_behind_the_first_listener_that_looks_them_up_scopes_are_sent_once_more() -> None:
    speaker = connected(*SHOP)
    assert speaker.change(removed=(ResourceKey(L, "l"),)) == ["L -l"]
    speaker.ack(L)
    speaker.settle()
    assert speaker.change(listener("m")) == ["L m@1", "S s@1"]
    speaker.settle()
    assert speaker.change(listener("n")) == ["L n@1"]


def test_a_listener_that_was_refused_alone_is_no_reason_to_leave_the_next_without_scopes() -> None:
    speaker = Speaker(*SHOP)
    speaker.ask(C)
    speaker.settle()
    assert speaker.ask(L) == ["L l@1"]
    assert speaker.ask(S) == ["S s@1"]
    speaker.nack(L)
    speaker.ack(S)
    assert speaker.change(listener("l", version="2")) == ["L l@2", "S s@1"]


def test_a_listener_that_comes_back_waits_for_no_routes_that_nobody_can_ask_for() -> None:
    speaker = connected(*SHOP)
    speaker.change(removed=(ResourceKey(L, "l"),))
    speaker.settle()
    speaker.ask(R, unsubscribe=("r",))
    found = replace(listener("m"), references=(ResourceKey(S, "s"), SCOPES))
    assert speaker.change(found) == ["L m@1", "S s@1"]
