"""Delta ADS: a rejected response is taken apart until the bad resource is found."""

from __future__ import annotations

import math

import pytest

from serai.xds.conversation import Memory
from serai.xds.events import Cleared, Rejected, Rejection
from serai.xds.resource import Resource, ResourceKey
from unit.xds.speaker import C, E, R, S, Speaker, cluster, endpoints, plain, routes, scope


class Picky(Speaker):
    """Takes a response only if nothing in it is bad, and says little about why it doesn't."""

    def __init__(self, *resources: Resource, bad: set[str], telling: bool = False) -> None:
        super().__init__(*resources)
        self.bad = bad
        self.telling = telling
        self.nacks = 0

    def talk(self) -> None:
        """Answers until there is nothing more to answer."""
        answered = 0
        while answered < len(self.sent):
            response = self.sent[answered]
            answered += 1
            named = [f"{e.name}@{e.version}" for e in response.resources]
            culprit = next((name for name in named if name in self.bad), None)
            if culprit is None:
                self.ask(response.type, nonce=response.nonce)
            else:
                self.nacks += 1
                told = culprit.partition("@")[0] if self.telling else "something"
                self.ask(response.type, nonce=response.nonce, error=f"Error adding: {told}: bad")
        self.sent.clear()

    def held(self, *names: str) -> list[str | None]:
        ledger = self.stream.conversation.ledgers[C]
        return [ledger.held_version(name) for name in names]


def test_a_rejected_resource_sent_alone_is_reported_with_its_origin() -> None:
    speaker = Speaker(plain("a"))
    speaker.ask(C)
    assert speaker.nack(error="no such thing") == []
    (event,) = [event for event in speaker.events if isinstance(event, Rejected)]
    assert event.key == ResourceKey(C, "a")
    assert event.rejection.message == "no such thing"
    assert event.rejection.version == "1"
    assert [origin.key.name for origin in event.rejection.origins] == ["a"]


def test_the_same_version_is_not_sent_again() -> None:
    speaker = Speaker(plain("a"))
    speaker.ask(C)
    speaker.nack()
    assert speaker.change(plain("b")) == ["C b@1"]
    assert speaker.ack() == []
    assert speaker.later(3600) == []


def test_a_new_version_is_sent_and_clears_the_rejection_when_taken() -> None:
    speaker = Speaker(plain("a"))
    speaker.ask(C)
    speaker.nack()
    assert speaker.change(plain("a", "2")) == ["C a@2"]
    assert speaker.rejected() == {"a": "1"}
    speaker.ack()
    assert speaker.rejected() == {}
    assert Cleared(ResourceKey(C, "a")) in speaker.events


def test_a_new_version_that_is_rejected_too_replaces_the_rejection() -> None:
    speaker = Speaker(plain("a"))
    speaker.ask(C)
    speaker.nack()
    speaker.change(plain("a", "2"))
    speaker.nack()
    assert speaker.rejected() == {"a": "2"}


def test_a_rejection_ends_when_the_resource_goes() -> None:
    speaker = Speaker(plain("a"))
    speaker.ask(C)
    speaker.nack()
    assert speaker.remove(plain("a")) == []
    assert speaker.rejected() == {}


def test_what_is_not_wanted_any_more_when_it_is_rejected_is_not_reported() -> None:
    speaker = Speaker(plain("a"))
    speaker.ask(C)
    speaker.change(plain("a", "2"))
    assert speaker.nack() == ["C a@2"]
    assert speaker.rejected() == {}


def test_a_rejection_ends_when_the_change_is_taken_back() -> None:
    speaker = Speaker(plain("a"))
    speaker.ask(C)
    speaker.ack()
    speaker.change(plain("a", "2"))
    speaker.nack()
    assert speaker.change(plain("a", "1")) == []
    assert speaker.rejected() == {}


def test_what_the_client_had_before_stays_what_it_has() -> None:
    speaker = Speaker(plain("a"))
    speaker.ask(C)
    speaker.ack()
    speaker.change(plain("a", "2"))
    speaker.nack()
    assert speaker.stream.conversation.ledgers[C].held_version("a") == "1"
    assert speaker.remove(plain("a")) == ["C -a"]


def test_of_two_the_good_one_is_sent_again_and_taken() -> None:
    speaker = Speaker(plain("a"), plain("b"))
    speaker.ask(C)
    assert speaker.nack() == ["C a@1"]
    assert speaker.ack() == ["C b@1"]
    assert speaker.nack() == []
    assert speaker.rejected() == {"b": "1"}


def test_what_the_message_names_is_tried_last_and_alone() -> None:
    speaker = Speaker(*(plain(name) for name in "abcdefgh"))
    speaker.ask(C)
    error = "Error adding/updating cluster(s) c: c cluster must support HTTP/2"
    assert speaker.nack(error=error) == ["C a@1 b@1 d@1 e@1 f@1 g@1 h@1"]
    assert speaker.ack() == ["C c@1"]
    assert speaker.nack(error=error) == []
    assert speaker.rejected() == {"c": "1"}


def test_a_suspect_that_turns_out_good_is_not_reported() -> None:
    speaker = Speaker(plain("a"), plain("b"))
    speaker.ask(C)
    speaker.nack(error="trouble near b")
    assert speaker.ack() == ["C b@1"]
    speaker.ack()
    assert speaker.rejected() == {}


@pytest.mark.parametrize("telling", [False, True])
@pytest.mark.parametrize("place", [0, 1, 250, 499, 500, 998, 999])
def test_one_bad_among_a_thousand_costs_few_responses(place: int, *, telling: bool) -> None:
    clusters = [plain(f"c{i:03}") for i in range(1000)]
    picky = Picky(*clusters, bad={f"c{place:03}@1"}, telling=telling)
    sent = picky.stream.conversation
    picky.ask(C)
    picky.talk()
    assert picky.rejected() == {f"c{place:03}": "1"}
    assert sum(v == "1" for v in picky.held(*(c.name for c in clusters))) == 999
    assert int(sent._sequence) <= (3 if telling else math.ceil(math.log2(1000)) + 3)
    assert picky.nacks <= (2 if telling else 12)


def test_many_bad_ones_are_all_found() -> None:
    bad = {f"c{i:03}@1" for i in range(0, 1000, 37)}
    picky = Picky(*(plain(f"c{i:03}") for i in range(1000)), bad=bad)
    picky.ask(C)
    picky.talk()
    assert {f"{name}@{version}" for name, version in picky.rejected().items()} == bad
    assert picky.stream.conversation._sequence <= len(bad) * 12


def test_an_edit_beside_a_bad_resource_is_not_held_up_by_it() -> None:
    picky = Picky(*(plain(f"c{i}") for i in range(20)), bad={"c7@1"})
    picky.ask(C)
    picky.talk()
    picky.nacks = 0
    assert picky.change(plain("c3", "2")) == ["C c3@2"]
    picky.talk()
    assert picky.nacks == 0


def test_a_version_that_changes_during_the_search_is_sent_in_its_newest_form() -> None:
    speaker = Speaker(plain("a"), plain("b"), plain("c"), plain("d"))
    speaker.ask(C)
    assert speaker.nack() == ["C a@1 b@1"]
    assert speaker.change(plain("c", "2")) == []
    assert speaker.ack() == ["C c@2"]


def test_what_goes_during_the_search_is_removed() -> None:
    speaker = Speaker(plain("a"), plain("b"))
    speaker.ask(C)
    assert speaker.nack() == ["C a@1"]
    speaker.remove(plain("b"))
    assert speaker.ack() == ["C -b"]


def test_a_good_change_in_a_rejected_response_is_sent_again_even_if_taken_back() -> None:
    """Envoy may have applied it."""
    speaker = Speaker(plain("a"), plain("b"))
    speaker.ask(C)
    speaker.ack()
    assert speaker.change(plain("a", "2"), plain("b", "2")) == ["C a@2 b@2"]
    speaker.change(plain("a", "1"))
    assert speaker.nack() == ["C a@1"]


def test_one_left_of_a_rejected_response_is_tried_before_it_is_blamed() -> None:
    speaker = Speaker(endpoints("a"), endpoints("b"))
    speaker.ask(E, "a", "b")
    nonce = speaker.last(E).nonce
    speaker.ask(E, unsubscribe=("b",))
    assert speaker.ask(E, nonce=nonce, error="no") == ["E a@1"]
    assert speaker.rejected() == {}


def test_removals_in_a_rejected_response_are_tried_first() -> None:
    speaker = Speaker(scope("s", "r"), routes("r"))
    speaker.ask(S)
    speaker.ack()
    changed = speaker.change(scope("t", "r"), scope("u", "r"), removed=(scope("s", "r").key,))
    assert changed == ["S -s t@1 u@1"]
    assert speaker.nack() == ["S -s t@1"]


def test_a_rejected_removal_is_not_repeated() -> None:
    speaker = Speaker(plain("a"))
    speaker.ask(C)
    speaker.ack()
    speaker.remove(plain("a"))
    assert speaker.nack() == []
    assert speaker.later(60) == []
    assert speaker.change(plain("a", "2")) == ["C a@2"]


def test_the_old_cluster_of_a_rejected_route_stays() -> None:
    """The client's last good route names it, and stays in force."""
    speaker = Speaker(plain("a"), plain("b"), routes("r", "a"))
    speaker.ask(C)
    speaker.ack()
    speaker.ask(R, "r")
    speaker.ack()
    speaker.change(routes("r", "b", version="2"), removed=(plain("a").key,))
    assert speaker.nack(R) == []
    assert speaker.later(21) == []
    assert speaker.later(3600) == []
    assert speaker.change(routes("r", "b", version="3")) == ["R r@3"]
    assert speaker.ack(R) == ["C -a"]


def test_clusters_stay_while_a_route_of_unknown_content_cannot_be_replaced() -> None:
    """The client's route is of an older world, and the new one is rejected."""
    speaker = Speaker(routes("r", version="2"))
    speaker.ask(C, initial_versions={"a": "1"})
    speaker.ask(R, "r", initial_versions={"r": "1"})
    speaker.nack(R)
    assert speaker.later(3600) == []
    speaker.change(routes("r", version="3"))
    assert speaker.ack(R) == ["C -a"]


def test_a_route_to_a_cluster_that_was_rejected_is_sent() -> None:
    speaker = Speaker(plain("a"), routes("r", "a"))
    speaker.ask(C)
    speaker.nack()
    assert speaker.ask(R, "r") == ["R r@1"]


def test_a_waiting_route_goes_on_when_its_cluster_is_rejected() -> None:
    speaker = Speaker(plain("a"), routes("r", "a"))
    speaker.ask(C)
    assert speaker.ask(R, "r") == []
    assert speaker.nack(C) == ["R r@1"]


def test_a_changed_cluster_is_followed_by_the_last_good_endpoints() -> None:
    speaker = Speaker(cluster("a"), endpoints("a"))
    speaker.ask(C)
    speaker.ask(E, "a")
    speaker.ack(C)
    speaker.ack(E)
    speaker.change(endpoints("a", "2"))
    speaker.nack(E)
    assert speaker.change(cluster("a", "2")) == ["C a@2", "E a@1"]
    speaker.ack(E)
    assert speaker.rejected() == {"a": "2"}


def test_a_changed_cluster_whose_endpoints_were_never_good_gets_an_answer() -> None:
    speaker = Speaker(cluster("a"), endpoints("a"))
    speaker.ask(C)
    speaker.ask(E, "a")
    speaker.ack(C)
    speaker.nack(E)
    assert speaker.change(cluster("a", "2")) == ["C a@2", "E -a"]
    speaker.ack(E)
    assert speaker.rejected() == {"a": "1"}


def test_a_name_asked_for_anew_is_tried_once_more() -> None:
    speaker = Speaker(routes("r"))
    speaker.ask(R, "r")
    assert speaker.nack() == []
    assert speaker.ask(R, "r") == ["R r@1"]
    assert speaker.nack() == []


def test_a_client_that_comes_back_is_not_sent_what_it_rejected() -> None:
    before = Speaker(plain("a"), plain("b", "2"))
    before.ask(C)
    before.nack(error="b")
    before.ack()
    before.nack()
    carried = before.stream.conversation.rejections()
    assert list(carried) == [ResourceKey(C, "b")]
    after = Speaker(plain("a"), plain("b", "2"), memory=Memory(carried))
    assert after.ask(C, initial_versions={"a": "1", "b": "1"}) == []
    assert after.rejected() == {"b": "2"}
    assert after.change(plain("b", "3")) == ["C b@3"]


def test_a_carried_rejection_of_what_has_gone_is_forgotten() -> None:
    carried = {ResourceKey(C, "gone"): Rejection("1", "no")}
    speaker = Speaker(plain("a"), memory=Memory(carried))
    speaker.ask(C, initial_versions={"a": "1"})
    assert speaker.rejected() == {}


def test_a_client_that_starts_anew_is_sent_everything() -> None:
    """A new Envoy waits for an answer about each route configuration before it listens."""
    before = Speaker(routes("r"))
    before.ask(R, "r")
    before.nack()
    carried = before.stream.conversation.rejections()
    after = Speaker(routes("r"), memory=Memory(carried))
    assert after.ask(R, "r") == ["R r@1"]


def test_an_endless_message_is_cut() -> None:
    speaker = Speaker(plain("a"))
    speaker.ask(C)
    speaker.nack(error="x" * 1_000_000)
    (rejection,) = speaker.stream.conversation.rejections().values()
    assert len(rejection.message) <= 4_000


def test_a_rejection_while_later_clusters_are_under_way() -> None:
    speaker = Speaker(cluster("a"))
    speaker.ask(C)
    first = speaker.last(C).nonce
    speaker.later(2)
    speaker.change(cluster("a", "2"), plain("b"))
    assert speaker.ask(C, nonce=first, error="no") == []
    assert speaker.rejected() == {}
    speaker.ack(C)
    assert speaker.stream.conversation.ledgers[C].held_version("a") == "2"
