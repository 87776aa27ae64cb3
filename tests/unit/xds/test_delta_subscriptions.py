"""Delta ADS: who asks for what, and what comes back."""

from __future__ import annotations

from serai.xds.events import Acknowledged, Converged
from unit.xds.speaker import (
    C,
    E,
    F,
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


def test_an_empty_first_request_for_clusters_means_all() -> None:
    speaker = Speaker(plain("a"), plain("b"))
    assert speaker.ask(C) == ["C a@1 b@1"]


def test_an_empty_first_request_for_endpoints_means_none() -> None:
    speaker = Speaker(endpoints("a"))
    assert speaker.ask(E) == []


def test_a_star_means_all() -> None:
    speaker = Speaker(plain("a"))
    assert speaker.ask(C, "*") == ["C a@1"]


def test_a_star_means_all_of_any_type() -> None:
    speaker = Speaker(routes("a"), routes("b"))
    assert speaker.ask(R, "*") == ["R a@1 b@1"]


def test_only_named_resources_come_to_who_names_them() -> None:
    speaker = Speaker(endpoints("a"), endpoints("b"))
    assert speaker.ask(E, "b") == ["E b@1"]


def test_names_asked_for_later_come_alone() -> None:
    speaker = Speaker(endpoints("a"), endpoints("b"))
    speaker.ask(E, "a")
    assert speaker.ack(names=("b",)) == ["E b@1"]


def test_a_name_asked_for_twice_is_answered_twice() -> None:
    speaker = Speaker(endpoints("a"))
    speaker.ask(E, "a")
    speaker.ack()
    assert speaker.ask(E, "a") == ["E a@1"]


def test_names_asked_for_while_an_answer_is_out_come_after_its_ack() -> None:
    speaker = Speaker(endpoints("a"), endpoints("b"), endpoints("c"))
    speaker.ask(E, "a")
    assert speaker.ask(E, "b") == []
    assert speaker.ask(E, "c") == []
    assert speaker.ack() == ["E b@1 c@1"]


def test_changes_of_what_nobody_asked_for_are_not_sent() -> None:
    speaker = Speaker(endpoints("a"))
    speaker.ask(E, "a")
    speaker.ack()
    assert speaker.change(endpoints("b")) == []


def test_unsubscribed_names_are_not_sent_any_more() -> None:
    speaker = Speaker(endpoints("a"), endpoints("b"))
    speaker.ask(E, "a", "b")
    speaker.ack(unsubscribe=("a",))
    assert speaker.change(endpoints("a", "2"), endpoints("b", "2")) == ["E b@2"]


def test_an_answer_in_the_making_drops_what_is_unsubscribed_meanwhile() -> None:
    speaker = Speaker(endpoints("a"), endpoints("b"), endpoints("c"))
    speaker.ask(E, "c")
    speaker.ask(E, "a", "b")
    speaker.ask(E, unsubscribe=("a",))
    assert speaker.ack() == ["E b@1"]


def test_the_ack_of_an_unsubscribed_name_does_not_count() -> None:
    speaker = Speaker(endpoints("a"), endpoints("b"))
    speaker.ask(E, "a", "b")
    speaker.ask(E, unsubscribe=("a",))
    speaker.ack(E)
    assert Acknowledged(E, (("b", "1"),)) in speaker.events
    assert speaker.ask(E, "a") == ["E a@1"]


def test_star_and_a_name_then_without_the_star_leaves_the_name() -> None:
    speaker = Speaker(plain("a"), plain("b"))
    speaker.ask(C, "*", "a")
    speaker.ack(unsubscribe=("*",))
    assert speaker.change(plain("a", "2"), plain("b", "2")) == ["C a@2"]


def test_a_name_given_up_under_a_star_is_told_again() -> None:
    speaker = Speaker(plain("a"), plain("b"))
    speaker.ask(C, "*", "a")
    assert speaker.ack(unsubscribe=("a",)) == ["C a@1"]


def test_a_star_that_comes_later_brings_the_rest() -> None:
    speaker = Speaker(plain("a"), plain("b"))
    speaker.ask(C, "a")
    assert speaker.ack(names=("*",)) == ["C b@1"]


def test_a_legacy_wildcard_outlives_later_names() -> None:
    speaker = Speaker(plain("a"), plain("b"))
    speaker.ask(C)
    speaker.ack(names=("a",))
    speaker.ack()
    assert speaker.change(plain("b", "2")) == ["C b@2"]


def test_an_empty_request_later_changes_nothing() -> None:
    speaker = Speaker(plain("a"), plain("b"))
    speaker.ask(C, "a")
    speaker.ack()
    assert speaker.ask(C) == []
    assert speaker.change(plain("b", "2")) == []


def test_unknown_endpoints_are_answered_as_removed_so_that_their_cluster_stops_warming() -> None:
    speaker = Speaker(endpoints("a"))
    assert speaker.ask(E, "a", "ghost") == ["E -ghost a@1"]
    speaker.ack()
    assert speaker.later(60) == []


def test_unknown_endpoints_come_when_they_exist() -> None:
    speaker = Speaker()
    assert speaker.ask(E, "late") == ["E -late"]
    speaker.ack()
    assert speaker.change(endpoints("late")) == ["E late@1"]


def test_unknown_chains_are_answered_as_removed_so_that_their_listener_can_start() -> None:
    speaker = Speaker()
    assert speaker.ask(F, "ghost") == ["F -ghost"]


def test_unknown_routes_are_not_answered_until_they_exist() -> None:
    speaker = Speaker()
    assert speaker.ask(R, "late") == []
    assert speaker.later(60) == []
    assert speaker.change(routes("late")) == ["R late@1"]


def test_a_wildcard_over_nothing_is_told_so_once() -> None:
    """Envoy 1.40 holds back a listener with scoped routes until it was told of its scopes."""
    speaker = Speaker()
    (told,) = speaker.ask(S)
    assert told.split() == ["S"]
    assert speaker.ack() == []
    assert speaker.later(60) == []
    assert speaker.change(scope("s", "r"), routes("r")) == ["S s@1"]


def test_what_will_come_is_not_told_as_nothing() -> None:
    speaker = Speaker(plain("a"), scope("s", "r"), routes("r", "a"))
    speaker.ask(C)
    assert speaker.ask(S) == []
    assert speaker.ack(C) == ["S s@1"]


def test_what_will_perhaps_never_come_is_told_as_nothing() -> None:
    """A scope without its route configuration would keep the whole listener from listening."""
    speaker = Speaker(scope("s", "r"))
    (told,) = speaker.ask(S)
    assert told.split() == ["S"]
    speaker.ack()
    assert speaker.change(routes("r")) == ["S s@1"]


def test_types_are_answered_in_the_order_in_which_they_depend() -> None:
    speaker = Speaker(
        plain("a"), listener("l"), scope("s", "r"), routes("r", "a"), endpoints("a"), ready=False
    )
    for type_, names in ((R, ("r",)), (S, ()), (L, ()), (E, ("a",)), (C, ())):
        assert speaker.ask(type_, *names) == []
    world = speaker.world.resources("shop/waypoint")
    assert world is not None
    sent = speaker.stream.attach(world, speaker.now)
    assert [response.type for response in sent] == [C, E, L]


def test_nothing_is_answered_from_a_world_not_yet_read() -> None:
    speaker = Speaker(plain("a"), ready=False)
    assert speaker.ask(C) == []
    assert speaker.change(plain("b")) == []
    assert speaker.later(100) == []


def test_what_a_client_holds_is_not_taken_away_before_the_world_is_read() -> None:
    speaker = Speaker(ready=False)
    assert speaker.ask(C, initial_versions={"a": "1"}) == []
    assert speaker.later(100) == []
    speaker.world.apply({"shop/waypoint": {plain("a").key: plain("a")}})
    world = speaker.world.resources("shop/waypoint")
    assert world is not None
    assert speaker.stream.attach(world, speaker.now) == []
    assert speaker.later(100) == []


def test_converged_is_said_once() -> None:
    speaker = Speaker(plain("a"))
    speaker.ask(C)
    assert Converged() not in speaker.events
    speaker.ack()
    speaker.later(1)
    assert speaker.events.count(Converged()) == 1
    speaker.change(plain("a", "2"))
    speaker.ack()
    assert speaker.events.count(Converged()) == 2


def test_a_change_back_to_what_the_client_has_is_not_sent() -> None:
    speaker = Speaker(cluster("a"), plain("z"))
    speaker.ask(C)
    speaker.ack()
    speaker.change(plain("z", "2"))
    speaker.change(plain("a", "2"))
    speaker.change(cluster("a", "1"))
    assert speaker.ack() == []
