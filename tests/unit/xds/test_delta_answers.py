"""Delta ADS: acknowledgements, nonces, reconnecting."""

from __future__ import annotations

import pytest

from serai.xds.draft import MAX_BYTES, MAX_RESOURCES
from serai.xds.events import Acknowledged
from serai.xds.resource import Resource
from unit.xds.speaker import (
    C,
    E,
    L,
    R,
    S,
    Speaker,
    cluster,
    endpoints,
    listener,
    plain,
    routes,
    scope,
)


def test_nothing_more_of_a_type_is_sent_before_its_answer() -> None:
    speaker = Speaker(endpoints("a"))
    speaker.ask(E, "a", "b")
    assert speaker.change(endpoints("a", "2")) == []
    assert speaker.change(endpoints("b", "2")) == []
    assert speaker.later(3600) == []
    assert speaker.ack() == ["E a@2 b@2"]


def test_the_newest_state_wins_while_an_answer_is_out() -> None:
    speaker = Speaker(endpoints("a"))
    speaker.ask(E, "a")
    for version in "2345":
        speaker.change(endpoints("a", version))
    assert speaker.ack() == ["E a@5"]


def test_other_types_do_not_wait_for_each_other() -> None:
    speaker = Speaker(endpoints("a"), routes("r"))
    speaker.ask(E, "a")
    assert speaker.ask(R, "r") == ["R r@1"]


@pytest.mark.parametrize("nonce", ["0", "7", "999", "-1", "x", "1 "])
def test_a_stale_nonce_is_ignored(nonce: str) -> None:
    speaker = Speaker(endpoints("a"))
    speaker.ask(E, "a")
    speaker.change(endpoints("a", "2"))
    assert speaker.ask(E, nonce=nonce) == []
    assert speaker.ask(E, nonce=nonce, error="no") == []
    assert not speaker.rejected()
    assert speaker.ack() == ["E a@2"]


def test_the_nonce_of_another_type_is_ignored() -> None:
    speaker = Speaker(endpoints("a"), routes("r"))
    speaker.ask(E, "a")
    speaker.ask(R, "r")
    speaker.change(endpoints("a", "2"))
    assert speaker.ask(E, nonce=speaker.last(R).nonce) == []
    assert speaker.ack(E) == ["E a@2"]


def test_subscriptions_in_a_request_with_a_stale_nonce_count() -> None:
    speaker = Speaker(endpoints("a"))
    assert speaker.ask(E, nonce="17") == []
    assert speaker.ask(E, "a", nonce="17") == ["E a@1"]


def test_an_answer_given_twice_counts_once() -> None:
    speaker = Speaker(endpoints("a"))
    speaker.ask(E, "a")
    speaker.ack()
    speaker.ack()
    assert speaker.events.count(Acknowledged(E, (("a", "1"),))) == 1


def test_what_was_acknowledged_can_be_asked_for() -> None:
    speaker = Speaker(plain("a"), plain("b"))
    speaker.ask(C)
    ledger = speaker.stream.conversation.ledgers[C]
    assert (ledger.held_version("a"), ledger.pending()) == (None, {"a", "b"})
    speaker.ack()
    assert (ledger.held_version("a"), ledger.pending()) == ("1", set())


def test_removals_are_sent_and_acknowledged() -> None:
    speaker = Speaker(plain("a"), plain("b"))
    speaker.ask(C)
    speaker.ack()
    assert speaker.remove(plain("a")) == ["C -a"]
    speaker.ack()
    assert Acknowledged(C, (("a", ""),)) in speaker.events
    assert speaker.stream.conversation.ledgers[C].held_version("a") is None


def test_what_comes_and_goes_while_an_answer_is_out_is_never_sent() -> None:
    speaker = Speaker(plain("a"))
    speaker.ask(C)
    speaker.change(plain("b"))
    speaker.remove(plain("b"))
    assert speaker.ack() == []


def test_what_goes_while_its_own_answer_is_out_is_removed_afterwards() -> None:
    speaker = Speaker(plain("a"))
    speaker.ask(C)
    assert speaker.remove(plain("a")) == []
    assert speaker.ack() == ["C -a"]


def test_what_comes_back_while_its_removal_is_out_is_sent_afterwards() -> None:
    speaker = Speaker(plain("a"))
    speaker.ask(C)
    speaker.ack()
    speaker.remove(plain("a"))
    assert speaker.change(plain("a")) == []
    assert speaker.ack() == ["C a@1"]


def test_many_resources_come_in_several_responses() -> None:
    speaker = Speaker(*(plain(f"c{i:04}") for i in range(2 * MAX_RESOURCES + 5)))
    speaker.ask(C)
    speaker.ack()
    speaker.ack()
    sizes = [len(response.resources) for response in speaker.sent]
    assert sizes == [MAX_RESOURCES, MAX_RESOURCES, 5]


def test_large_resources_come_in_several_responses() -> None:
    large = [Resource(R, f"r{i}", "1", bytes(MAX_BYTES // 2 - 10)) for i in range(5)]
    speaker = Speaker(*large)
    speaker.ask(R, "*")
    speaker.settle()
    assert [len(response.resources) for response in speaker.sent] == [2, 2, 1]


def test_a_resource_too_large_for_any_response_goes_alone() -> None:
    speaker = Speaker(Resource(R, "huge", "1", bytes(MAX_BYTES + 1)), routes("tiny"))
    speaker.ask(R, "*")
    speaker.settle()
    assert [len(response.resources) for response in speaker.sent] == [1, 1]


def test_reconnecting_with_the_same_versions_sends_nothing() -> None:
    speaker = Speaker(
        cluster("a"), endpoints("a"), listener("l"), scope("s", "r"), routes("r", "a")
    )
    assert speaker.ask(C, initial_versions={"a": "1"}) == []
    assert speaker.ask(E, "a", initial_versions={"a": "1"}) == []
    assert speaker.ask(L, initial_versions={"l": "1"}) == []
    assert speaker.ask(S, initial_versions={"s": "1"}) == []
    assert speaker.ask(R, "r", initial_versions={"r": "1"}) == []
    assert speaker.later(60) == []


def test_reconnecting_with_another_version_sends_the_new_one_only() -> None:
    speaker = Speaker(plain("a", "2"), plain("b"))
    assert speaker.ask(C, initial_versions={"a": "1", "b": "1"}) == ["C a@2"]


def test_what_went_while_the_client_was_away_is_removed_after_a_moment() -> None:
    speaker = Speaker(plain("a"))
    assert speaker.ask(C, initial_versions={"a": "1", "gone": "1"}) == []
    assert speaker.later(2.1) == ["C -gone"]


def test_scopes_that_went_while_the_client_was_away_go_at_once() -> None:
    speaker = Speaker()
    assert speaker.ask(S, initial_versions={"gone": "1"}) == ["S -gone"]


def test_versions_of_names_the_client_does_not_ask_for_are_ignored() -> None:
    speaker = Speaker(endpoints("a"))
    assert speaker.ask(E, "a", initial_versions={"a": "1", "other": "1"}) == []
    assert speaker.later(60) == []


def test_names_without_a_version_are_sent_on_reconnect() -> None:
    speaker = Speaker(routes("a"), routes("b"))
    assert speaker.ask(R, "a", "b", initial_versions={"a": "1"}) == ["R b@1"]


def test_initial_versions_count_in_the_first_request_only() -> None:
    speaker = Speaker(endpoints("a"), endpoints("b"))
    speaker.ask(E, "a")
    assert speaker.ack(names=("b",), initial_versions={"b": "1"}) == ["E b@1"]


def test_clusters_of_a_route_not_yet_known_are_kept_on_reconnect() -> None:
    """The client's route is of an older world: it may name the cluster that went."""
    speaker = Speaker(routes("r", "new", version="2"), plain("new"))
    assert speaker.ask(C, initial_versions={"old": "1"}) == ["C new@1"]
    assert speaker.ask(R, "r", initial_versions={"r": "1"}) == []
    assert speaker.ack(C) == ["R r@2"]
    assert speaker.later(3) == []
    assert speaker.ack(R) == ["C -old"]
