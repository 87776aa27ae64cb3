"""A part of what a client should have goes ahead, while the rest is computed."""

from __future__ import annotations

from serai.xds.events import Converged
from unit.xds.speaker import (
    PROXY,
    C,
    E,
    L,
    R,
    S,
    Speaker,
    cluster,
    endpoints,
    listener,
    routes,
    scope,
)

RESOURCES = (
    *(cluster("a"), endpoints("a"), routes("r", "a"), scope("s", "r"), listener("l")),
    *(cluster("b"), endpoints("b")),
)


def begun(*, count: int = 5) -> Speaker:
    """Whoever is told that this is there so far."""
    client = Speaker(*RESOURCES[:count], ready=False)
    attach(client, partial=True)
    return client


def attach(client: Speaker, *, partial: bool) -> None:
    world = client.world.resources(PROXY)
    assert world is not None
    client.stream.conversation.attach(world, partial=partial)


def test_clusters_and_endpoints_go_ahead_and_listeners_wait_for_the_whole() -> None:
    client = begun()
    assert client.ask(C) == ["C a@1"]
    assert client.ask(E, "a") == ["E a@1"]
    assert client.ack(E) == []
    assert client.ack(C) == []
    assert client.ask(L) == []
    assert client.change(*RESOURCES) == ["C b@1"]
    assert client.ask(E, "b") == ["E b@1"]
    assert client.ack(E) == client.ack(C) == []
    assert not any(isinstance(each, Converged) for each in client.events)
    attach(client, partial=False)
    assert client.later(0) == ["L l@1"]
    assert client.ask(S) == ["S s@1"]
    assert client.ask(R, "r") == ["R r@1"]
    client.settle()
    assert any(isinstance(each, Converged) for each in client.events)


def test_what_changes_until_it_is_whole_is_sent_and_taken_back() -> None:
    client = begun()
    client.ask(C)
    client.ask(E, "a")
    client.settle()
    assert client.change(cluster("b")) == ["C b@1"]
    client.settle()
    assert client.change(cluster("a", "2")) == ["C a@2", "E a@1"]
    client.settle()
    assert client.remove(cluster("b")) == ["C -b"]


def test_who_comes_back_with_something_hears_nothing_before_it_is_whole() -> None:
    client = begun()
    assert client.ask(C, initial_versions={"old": "1"}) == []
    assert client.ask(E, "old", initial_versions={"old": "1"}) == []
    assert client.later(10) == []
    attach(client, partial=False)
    assert client.later(0) == ["C -old a@1"]


def test_who_comes_back_with_a_listener_alone_hears_no_more_from_then_on() -> None:
    client = begun()
    assert client.ask(C) == ["C a@1"]
    assert client.ask(L, initial_versions={"l": "1"}) == []
    assert client.change(cluster("b")) == []
    assert client.ack(C) == []


def test_scopes_come_in_one_response() -> None:
    client = Speaker(routes("r"), *(scope(f"s{number}", "r") for number in range(2_500)))
    client.ask(S)
    assert len(client.last(S).resources) == 2_500
