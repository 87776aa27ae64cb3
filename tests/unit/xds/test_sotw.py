"""State-of-the-world ADS: what it does by itself; the rules it shares are tried with delta."""

from __future__ import annotations

from typing import Any

import pytest

from serai.xds.conversation import Memory
from serai.xds.draft import MAX_RESOURCES
from serai.xds.order import WITHHELD_SECONDS
from serai.xds.resource import Resource, ResourceKey, ResourceType
from serai.xds.sotw import SotwRequest, SotwResponse, SotwStream
from serai.xds.world import World
from unit.xds.speaker import (
    PROXY,
    C,
    E,
    L,
    R,
    S,
    changes,
    cluster,
    endpoints,
    listener,
    plain,
    routes,
    scope,
)


class Speaker:
    """Says what a client says, and keeps what it is answered."""

    def __init__(
        self, *resources: Resource, ready: bool = True, world: World | None = None
    ) -> None:
        self.world = world or World()
        self.world.apply(changes(*resources))
        self.now = 100.0
        self.sent: list[SotwResponse] = []
        self.accepted: dict[ResourceType, str] = {}
        self.names: dict[ResourceType, tuple[str, ...]] = {}
        self.stream = SotwStream(self.world.resources(PROXY) if ready else None)

    def reconnect(self, memory: Memory | None = None) -> None:
        self.stream = SotwStream(self.world.resources(PROXY), memory or Memory())
        self.sent.clear()

    def ask(self, type_: ResourceType, *names: str, **more: Any) -> list[str]:
        self.names[type_] = names
        version = self.accepted.get(type_, "")
        request = SotwRequest(type_, names=names, version=version, **more)
        return self._keep(self.stream.receive(request, self.now))

    def ack(self, type_: ResourceType) -> list[str]:
        last = self.last(type_)
        self.accepted[type_] = last.version
        return self.ask(type_, *self.names[type_], nonce=last.nonce)

    def nack(self, type_: ResourceType, error: str = "no") -> list[str]:
        return self.ask(type_, *self.names[type_], nonce=self.last(type_).nonce, error=error)

    def change(self, *added: Resource, removed: tuple[ResourceKey, ...] = ()) -> list[str]:
        changed = self.world.apply(changes(*added, removed=removed))[PROXY]
        return self._keep(self.stream.update(changed, self.now))

    def later(self, seconds: float) -> list[str]:
        self.now += seconds
        return self._keep(self.stream.tick(self.now))

    def last(self, type_: ResourceType) -> SotwResponse:
        return next(response for response in reversed(self.sent) if response.type is type_)

    def _keep(self, responses: list[SotwResponse]) -> list[str]:
        self.sent += responses
        return [short(response) for response in responses]


def short(response: SotwResponse) -> str:
    letter = {C: "C", E: "E", L: "L", S: "S", R: "R"}[response.type]
    resources = sorted(response.resources, key=lambda entry: entry.name)
    return " ".join((letter, *(f"{entry.name}@{entry.version}" for entry in resources)))


@pytest.mark.parametrize(
    ("type_", "make"), [(C, plain), (L, listener), (S, lambda *a: scope(a[0], "r", *a[1:]))]
)
def test_clusters_listeners_and_scopes_come_as_complete_sets(type_: Any, make: Any) -> None:
    speaker = Speaker(make("a"), make("b"), routes("r"))
    letter = {C: "C", L: "L", S: "S"}[type_]
    assert speaker.ask(type_) == [f"{letter} a@1 b@1"]
    speaker.ack(type_)
    assert speaker.change(make("c")) == [f"{letter} a@1 b@1 c@1"]
    speaker.ack(type_)
    assert speaker.change(removed=(make("a").key,)) == [f"{letter} b@1 c@1"]


def test_of_endpoints_and_routes_only_what_changed_comes() -> None:
    speaker = Speaker(endpoints("a"), endpoints("b"))
    assert speaker.ask(E, "a", "b") == ["E a@1 b@1"]
    speaker.ack(E)
    assert speaker.change(endpoints("b", "2")) == ["E b@2"]


def test_names_are_compared_with_those_asked_for_before() -> None:
    speaker = Speaker(endpoints("a"), endpoints("b"))
    speaker.ask(E, "a")
    speaker.ack(E)
    nonce = speaker.last(E).nonce
    assert speaker.ask(E, "a", "b", nonce=nonce) == ["E b@1"]
    speaker.ack(E)
    speaker.ask(E, "b", nonce=speaker.last(E).nonce)
    assert speaker.change(endpoints("a", "2"), endpoints("b", "2")) == ["E b@2"]


def test_the_old_nonce_again_is_not_an_answer() -> None:
    speaker = Speaker(endpoints("a"), endpoints("b"))
    speaker.ask(E, "a")
    speaker.ack(E)
    first = speaker.last(E).nonce
    assert speaker.change(endpoints("a", "2")) == ["E a@2"]
    assert speaker.ask(E, "a", "b", nonce=first) == []
    assert speaker.ack(E) == ["E b@1"]


def test_unknown_routes_are_not_answered() -> None:
    speaker = Speaker()
    assert speaker.ask(R, "ghost") == []
    assert speaker.change(routes("ghost")) == ["R ghost@1"]


def test_unknown_endpoints_are_answered_as_none_so_that_their_cluster_stops_warming() -> None:
    speaker = Speaker(endpoints("a"))
    assert speaker.ask(E, "ghost", "a") == ["E a@1 ghost@"]
    assert speaker.ack(E) == []
    assert speaker.change(endpoints("ghost")) == ["E ghost@1"]


def test_endpoints_that_a_client_may_have_are_not_answered_as_none() -> None:
    """Discovery lost sight of them while the client was away; it goes on with what it has."""
    speaker = Speaker()
    speaker.accepted[E] = "of another server"
    assert speaker.ask(E, "a") == []


def test_a_removal_of_endpoints_needs_no_response() -> None:
    speaker = Speaker(endpoints("a"))
    speaker.ask(E, "a")
    speaker.ack(E)
    assert speaker.change(removed=(endpoints("a").key,)) == []
    assert speaker.change(endpoints("a")) == ["E a@1"]


def test_explicit_names_of_clusters_are_kept_to() -> None:
    speaker = Speaker(plain("a"), plain("b"))
    assert speaker.ask(C, "b") == ["C b@1"]


def test_versions_are_those_of_the_content_however_it_came_about() -> None:
    one, two = Speaker(plain("a"), plain("b")), Speaker(plain("b", "0"))
    one.ask(C)
    two.ask(C)
    two.ack(C)
    two.change(plain("c"), plain("a"), plain("b"))
    two.ack(C)
    two.change(removed=(plain("c").key,))
    assert one.last(C).version == two.last(C).version


def test_a_client_that_comes_back_to_a_new_server_with_all_it_needs_is_sent_nothing() -> None:
    everything = (cluster("a"), endpoints("a"), listener("l"), scope("s", "r"), routes("r", "a"))
    speaker = Speaker(*everything)
    named: dict[ResourceType, tuple[str, ...]] = {C: (), E: ("a",), L: (), S: (), R: ("r",)}
    for type_, names in named.items():
        speaker.ask(type_, *names)
        speaker.ack(type_)
    speaker.reconnect()
    for type_, names in named.items():
        assert speaker.ask(type_, *names) == []
    assert speaker.later(60) == []


def test_endpoints_that_came_one_by_one_are_known_as_a_set() -> None:
    speaker = Speaker(endpoints("a"), endpoints("b"))
    speaker.ask(E, "a")
    speaker.ack(E)
    speaker.ask(E, "a", "b", nonce=speaker.last(E).nonce)
    speaker.ack(E)
    speaker.change(endpoints("a", "2"))
    speaker.ack(E)
    speaker.reconnect()
    assert speaker.ask(E, "b", "a") == []


def test_a_client_that_comes_back_with_an_older_set_gets_the_new_one() -> None:
    speaker = Speaker(plain("a"))
    speaker.ask(C)
    speaker.ack(C)
    speaker.world.apply(changes(plain("b")))
    speaker.reconnect()
    assert speaker.ask(C) == ["C a@1 b@1"]


def test_a_client_remembered_gets_removals_last() -> None:
    speaker = Speaker(plain("a"), plain("b"), routes("r", "a"))
    for type_, names in ((C, ()), (R, ("r",))):
        speaker.ask(type_, *names)
        speaker.ack(type_)
    memory = speaker.stream.memory()
    speaker.world.apply(changes(routes("r", "b", version="2"), removed=(plain("a").key,)))
    speaker.reconnect(memory)
    assert speaker.ask(C) == []
    assert speaker.ask(R, "r") == ["R r@2"]
    assert speaker.ack(R) == []
    assert speaker.later(3) == ["C b@1"]


def test_nothing_is_answered_from_a_world_not_yet_read() -> None:
    speaker = Speaker(plain("a"), endpoints("e"), ready=False)
    assert speaker.ask(C) == []
    assert speaker.ask(E, "e", "f") == []
    assert speaker.ask(E, "e") == []
    world = speaker.world.resources(PROXY)
    assert world is not None
    sent = speaker._keep(speaker.stream.attach(world, speaker.now))
    assert sent == ["C a@1", "E e@1"]


def test_a_route_waits_for_the_set_with_its_cluster() -> None:
    speaker = Speaker(plain("a"), routes("r", "a"))
    speaker.ask(C)
    speaker.ack(C)
    speaker.ask(R, "r")
    speaker.ack(R)
    assert speaker.change(plain("b"), routes("r", "b", version="2")) == ["C a@1 b@1"]
    assert speaker.ack(C) == ["R r@2"]
    assert speaker.change(removed=(plain("a").key,)) == []
    assert speaker.ack(R) == ["C b@1"]


def test_endpoints_follow_the_clusters_that_changed_only() -> None:
    speaker = Speaker(cluster("a"), cluster("b"), endpoints("a"), endpoints("b"))
    speaker.ask(C)
    speaker.ask(E, "a", "b")
    speaker.ack(C)
    speaker.ack(E)
    assert speaker.change(cluster("a", "2")) == ["C a@2 b@1", "E a@1"]


def test_large_sets_are_not_cut() -> None:
    speaker = Speaker(*(plain(f"c{i}") for i in range(MAX_RESOURCES + 5)))
    speaker.ask(C)
    assert len(speaker.last(C).resources) == MAX_RESOURCES + 5


def test_a_rejected_cluster_stays_in_the_set_as_it_was() -> None:
    speaker = Speaker(plain("a"), plain("b"))
    speaker.ask(C)
    speaker.ack(C)
    assert speaker.change(plain("a", "2"), plain("b", "2")) == ["C a@2 b@2"]
    assert speaker.nack(C, error="b is bad") == ["C a@2 b@1"]
    assert speaker.ack(C) == ["C a@2 b@2"]
    assert speaker.nack(C, error="b is bad") == []
    (key,) = speaker.stream.conversation.rejections()
    assert key == plain("b").key
    assert speaker.change(plain("c")) == ["C a@2 b@1 c@1"]


def test_a_new_cluster_that_is_rejected_is_left_out() -> None:
    speaker = Speaker(plain("a"), plain("bad"))
    speaker.ask(C)
    assert speaker.nack(C) == ["C a@1"]
    assert speaker.ack(C) == ["C a@1 bad@1"]
    assert speaker.nack(C) == []
    assert speaker.change(plain("c")) == ["C a@1 c@1"]


def test_rejected_endpoints_are_tried_without_the_others() -> None:
    speaker = Speaker(endpoints("a"), endpoints("b"))
    speaker.ask(E, "a", "b")
    assert speaker.nack(E) == ["E a@1"]
    assert speaker.ack(E) == ["E b@1"]
    assert speaker.nack(E) == []
    assert list(speaker.stream.conversation.rejections()) == [endpoints("b").key]


def test_the_version_of_a_client_with_a_rejection_is_not_that_of_the_whole_set() -> None:
    speaker = Speaker(plain("a"), plain("bad"))
    speaker.ask(C)
    speaker.nack(C, error="bad")
    speaker.ack(C)
    speaker.nack(C)
    memory = speaker.stream.memory()
    speaker.reconnect()
    assert speaker.ask(C) == ["C a@1 bad@1"]
    speaker.reconnect(memory)
    assert speaker.ask(C) == []
    assert list(speaker.stream.conversation.rejections()) == [plain("bad").key]


def test_what_nobody_here_knows_is_not_taken_away_for_a_rejection() -> None:
    """A client of an older server: halves of the set would take away the other half."""
    speaker = Speaker(plain("a"), plain("b"), plain("c"))
    speaker.accepted[C] = "of another server"
    assert speaker.ask(C) == ["C a@1 b@1 c@1"]
    assert speaker.nack(C, error="something") == []
    assert len(speaker.stream.conversation.rejections()) == 3
    assert speaker.later(60) == []
    assert speaker.change(plain("b", "2")) == ["C a@1 b@2 c@1"]
    speaker.ack(C)
    assert speaker.stream.conversation.rejections() == {}


def test_what_the_message_names_is_left_out_for_a_client_of_an_older_server() -> None:
    speaker = Speaker(plain("a"), plain("b"), plain("c"))
    speaker.accepted[C] = "of another server"
    speaker.ask(C)
    assert speaker.nack(C, error="cluster b: no") == ["C a@1 c@1"]


def test_a_client_of_an_older_server_gets_its_scopes_all_at_once() -> None:
    """Scopes that wait for a cluster would be missing from the set."""
    speaker = Speaker(plain("a"), plain("b"), scope("s", "r"), scope("t", "q"))
    speaker.world.apply(changes(routes("r", "a"), routes("q")))
    speaker.accepted[C] = speaker.accepted[S] = "of another server"
    assert speaker.ask(C) == ["C a@1 b@1"]
    assert speaker.ask(S) == []
    assert speaker.ack(C) == ["S s@1 t@1"]


def test_the_answer_to_the_last_response_counts_for_those_before() -> None:
    """As long as a cluster warms, Envoy answers none, and then only the last."""
    speaker = Speaker(cluster("stuck"), endpoints("stuck"))
    speaker.ask(C)
    speaker.later(WITHHELD_SECONDS)
    assert speaker.change(plain("b")) == ["C b@1 stuck@1"]
    speaker.ack(C)
    ledger = speaker.stream.conversation.ledgers[C]
    assert (ledger.held_version("stuck"), ledger.held_version("b")) == ("1", "1")
    assert ledger.idle


def test_a_rejection_of_the_last_response_counts_for_those_before() -> None:
    speaker = Speaker(cluster("stuck"))
    speaker.ask(C)
    speaker.later(WITHHELD_SECONDS)
    speaker.change(plain("b"))
    assert speaker.nack(C, error="b") == ["C stuck@1"]
    assert speaker.ack(C) == ["C b@1 stuck@1"]


def test_an_empty_set_is_sent_when_the_last_cluster_goes() -> None:
    speaker = Speaker(plain("a"))
    speaker.ask(C)
    speaker.ack(C)
    assert speaker.change(removed=(plain("a").key,)) == ["C"]
