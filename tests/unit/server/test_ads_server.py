"""The xDS server over real gRPC, with clients that are not Envoy."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import grpc
import pytest

from serai.proto.envoy import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
)
from serai.server.ads import SERVICE, Counts
from serai.server.client import MAX_WAITING_REQUESTS
from serai.xds.events import Rejection
from serai.xds.resource import Resource, ResourceKey
from unit.server.streams import NODE, SECONDS, Bench, Peer, serving
from unit.xds.speaker import PROXY, C, E, R, changes, endpoints, plain, routes


async def test_delta_from_the_first_word_to_the_state_in_tables(bench: Bench) -> None:
    serving(bench, plain("a"))
    peer = bench.peer()
    await peer.say(C, node=NODE)
    response = await peer.hear()
    assert response.type_url == C.type_url
    (resource,) = response.resources
    assert (resource.name, resource.version) == ("a", "1")
    assert resource.resource.type_url == C.type_url
    assert resource.resource.value == plain("a").body
    await peer.say(C, response_nonce=response.nonce)
    await bench.until(lambda: bench.server.clients()[0].types[0].acked == 1)
    (state,) = bench.server.clients()
    assert (state.proxy, state.node_id, state.agent) == (PROXY, "one", "envoy")
    assert (state.protocol, state.known) == ("delta", True)
    (clusters,) = state.types
    assert (clusters.pending, clusters.rejected) == (0, 0)


async def test_state_of_the_world(bench: Bench) -> None:
    serving(bench, plain("a"), plain("b"))
    peer = bench.peer("sotw")
    await peer.say(C, node=NODE)
    response = await peer.hear()
    assert [resource.type_url for resource in response.resources] == [C.type_url] * 2
    assert {resource.value for resource in response.resources} == {
        plain("a").body,
        plain("b").body,
    }
    assert bench.server.clients()[0].protocol == "sotw"


async def test_changes_reach_clients(bench: Bench) -> None:
    serving(bench, endpoints("a"))
    peer = bench.peer()
    await peer.say(E, node=NODE, resource_names_subscribe=["a"])
    response = await peer.hear()
    await peer.say(E, response_nonce=response.nonce)
    bench.server.publish(changes(endpoints("a", "2")))
    (resource,) = (await peer.hear()).resources
    assert resource.version == "2"


async def test_nobody_is_answered_before_everything_was_read(bench: Bench) -> None:
    bench.server.publish(changes(plain("a")))
    peer = bench.peer()
    await peer.say(C, node=NODE)
    await peer.hears_nothing()
    bench.server.publish(changes(plain("b")))
    bench.server.mark_ready()
    assert [resource.name for resource in (await peer.hear_at_last()).resources] == ["a", "b"]


async def test_who_has_nothing_gets_what_answers_nobody_before_everything_was_read(
    bench: Bench,
) -> None:
    bench.server.mark_begun()
    peer = bench.peer()
    await peer.say(C, node=NODE)
    bench.server.publish(changes(plain("a"), routes("r", "a")))
    heard = await peer.hear()
    assert [resource.name for resource in heard.resources] == ["a"]
    await peer.say(R, resource_names_subscribe=["r"])
    await peer.say(C, response_nonce=heard.nonce)
    await peer.hears_nothing()
    assert not bench.server.clients()[0].known
    bench.server.mark_ready()
    assert [resource.name for resource in (await peer.hear_at_last()).resources] == ["r"]


@pytest.mark.parametrize("protocol", ["delta", "sotw"])
async def test_an_unknown_gateway_is_answered_when_it_exists(bench: Bench, protocol: str) -> None:
    bench.server.mark_ready()
    peer = bench.peer(protocol)
    await peer.say(C, node=NODE)
    await peer.hears_nothing()
    (state,) = bench.server.clients()
    assert not state.known
    bench.server.publish(changes(plain("a")))
    assert len((await peer.hear_at_last()).resources) == 1


async def test_a_rejection_is_told_and_cleared(bench: Bench) -> None:
    serving(bench, plain("a"))
    peer = bench.peer()
    await peer.say(C, node=NODE)
    nonce = (await peer.hear()).nonce
    await peer.say(C, response_nonce=nonce, error_detail={"message": "no such thing"})
    await bench.until(lambda: bench.told)
    ((key, rejection),) = bench.told[0].items()
    assert (key.name, rejection.version, rejection.message) == ("a", "1", "no such thing")
    bench.server.publish(changes(plain("a", "2")))
    await peer.say(C, response_nonce=(await peer.hear()).nonce)
    await bench.until(lambda: len(bench.told) == 2)
    assert bench.told[1] == {}


async def test_whoever_fails_to_hear_of_a_rejection_harms_no_client(bench: Bench) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    bench.server.on_rejections = fail
    serving(bench, plain("a"))
    peer = bench.peer()
    await peer.say(C, node=NODE)
    nonce = (await peer.hear()).nonce
    await peer.say(C, response_nonce=nonce, error_detail={"message": "no"})
    bench.server.publish(changes(plain("a", "2")))
    assert len((await peer.hear()).resources) == 1


async def test_what_was_sent_taken_and_refused_is_counted(bench: Bench) -> None:
    serving(bench, plain("a"), plain("b"))
    peer = bench.peer()
    await peer.say(C, node=NODE)
    await peer.say(C, response_nonce=(await peer.hear()).nonce)
    await bench.until(lambda: bench.server.counts.acknowledged)
    assert bench.server.counts == Counts(pushed=2, acknowledged=2)

    bench.server.publish(changes(plain("a", "2")))
    nonce = (await peer.hear()).nonce
    await peer.say(C, response_nonce=nonce, error_detail={"message": "no"})
    await bench.until(lambda: bench.server.counts.rejected)
    assert bench.server.counts == Counts(pushed=3, acknowledged=2, rejected=1)

    bench.server.publish({PROXY: {plain("b").key: None}})
    await peer.say(C, response_nonce=(await peer.hear()).nonce)
    await bench.until(lambda: bench.server.clients()[0].types[0].acked == 1)
    assert bench.server.counts == Counts(pushed=3, acknowledged=2, rejected=1)


async def test_who_watches_the_clients_hears_of_each_step(bench: Bench) -> None:
    seen: list[tuple[int, int, int]] = []

    def look() -> None:
        types = [each for client in bench.server.clients() for each in client.types]
        held = sum(each.acked for each in types)
        seen.append((len(bench.server.clients()), held, sum(each.rejected for each in types)))

    bench.server.on_clients = look
    serving(bench, plain("a"))
    peer = bench.peer()
    await peer.say(C, node=NODE)
    nonce = (await peer.hear()).nonce
    assert seen == [(1, 0, 0)], "it connected"
    await peer.say(C, response_nonce=nonce)
    await bench.until(lambda: (1, 1, 0) in seen)
    bench.server.publish(changes(plain("a", "2")))
    nonce = (await peer.hear()).nonce
    await peer.say(C, response_nonce=nonce, error_detail={"message": "no"})
    await bench.until(lambda: (1, 1, 1) in seen)
    peer.call.cancel()
    await bench.until(lambda: seen[-1] == (0, 0, 0))


async def test_a_rejection_outlives_its_stream(bench: Bench) -> None:
    serving(bench, plain("a"), plain("b"))
    first = bench.peer()
    await first.say(C, node=NODE, resource_names_subscribe=["a"])
    await first.say(C, response_nonce=(await first.hear()).nonce)
    await first.say(C, resource_names_subscribe=["b"])
    nonce = (await first.hear()).nonce
    await first.say(C, response_nonce=nonce, error_detail={"message": "no"})
    await bench.until(lambda: bench.told)
    first.call.cancel()
    await bench.until(lambda: not bench.server.clients())
    second = bench.peer()
    names = {"resource_names_subscribe": ["a", "b"]}
    await second.say(C, node=NODE, initial_resource_versions={"a": "1"}, **names)
    await second.hears_nothing()
    assert len(bench.told) == 1
    bench.server.publish(changes(plain("b", "2")))
    assert [resource.version for resource in (await second.hear_at_last()).resources] == ["2"]


async def refusing(bench: Bench) -> Peer:
    peer = bench.peer()
    await peer.say(C, node=NODE)
    nonce = (await peer.hear()).nonce
    await peer.say(C, response_nonce=nonce, error_detail={"message": "no"})
    await bench.until(lambda: bench.told)
    return peer


async def taking(bench: Bench) -> None:
    peer = bench.peer()
    await peer.say(C, node={**NODE, "id": "another"})
    await peer.say(C, response_nonce=(await peer.hear()).nonce)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_what_nobody_refuses_any_more_is_told_no_longer(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    monkeypatch.setattr("serai.server.ads.AWAY_SECONDS", 0.1)
    serving(bench, plain("a"))
    peer = await refusing(bench)
    if when == "before":
        await taking(bench)
    peer.call.cancel()
    await bench.until(lambda: len(bench.server.clients()) == (when == "before"))
    assert bench.told[-1]
    if when == "after":
        await taking(bench)
    await bench.until(lambda: not bench.told[-1])


async def test_who_is_away_for_a_moment_refuses_still(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serai.server.ads.AWAY_SECONDS", 0.2)
    serving(bench, plain("a"))
    peer = await refusing(bench)
    await taking(bench)
    peer.call.cancel()
    await bench.until(lambda: len(bench.server.clients()) == 1)
    again = bench.peer()
    await again.say(C, node=NODE, initial_resource_versions={"a": "0"})
    await bench.until(lambda: len(bench.server.clients()) == 2)
    await asyncio.sleep(0.4)
    assert len(bench.told) == 1


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\xff\xff\xff",
        b"",
        DeltaDiscoveryRequest(type_url=C.type_url).SerializeToString(),
        DeltaDiscoveryRequest(node=NODE).SerializeToString(),
    ],
)
async def test_who_breaks_the_protocol_is_closed_and_nobody_else(
    bench: Bench, request_bytes: bytes
) -> None:
    serving(bench, plain("a"))
    good, bad = bench.peer(), bench.peer()
    await good.say(C, node=NODE)
    await bad.call.write(request_bytes)
    assert await bad.ended() is grpc.StatusCode.INVALID_ARGUMENT
    assert len((await good.hear()).resources) == 1


async def test_nonsense_in_the_middle_ends_the_stream(bench: Bench) -> None:
    serving(bench, plain("a"))
    peer = bench.peer()
    await peer.say(C, node=NODE)
    await peer.hear()
    await peer.call.write(b"\xff\xff\xff")
    assert await peer.ended() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_type_that_is_not_served_is_left_unanswered(bench: Bench) -> None:
    serving(bench, plain("a"))
    peer = bench.peer()
    await peer.say(type_url="type.googleapis.com/envoy.nothing", node=NODE)
    await peer.say(C)
    assert (await peer.hear()).type_url == C.type_url


async def test_a_client_that_does_not_read_delays_nobody(bench: Bench) -> None:
    """And what waits for it is names, not responses."""
    large = [Resource(R, f"r{i}", "1", bytes(2_000_000)) for i in range(20)]
    serving(bench, *large, endpoints("a"))
    slow, quick = bench.peer(), bench.peer()
    await slow.say(R, node=NODE, resource_names_subscribe=["*"])
    await quick.say(E, node={**NODE, "id": "two"}, resource_names_subscribe=["a"])
    for version in range(2, 50):
        response = await quick.hear()
        await quick.say(E, response_nonce=response.nonce)
        bench.server.publish(
            changes(endpoints("a", str(version)), routes("r0", version=str(version)))
        )
    state = next(state for state in bench.server.clients() if state.node_id == "one")
    assert state.types[0].acked == 0


async def test_a_flood_of_requests_waits_in_its_connection(bench: Bench) -> None:
    bench.server.mark_ready()
    serving(bench, *(Resource(R, f"r{i}", "1", bytes(3_000_000)) for i in range(9)))
    peer = bench.peer()
    await peer.say(R, node=NODE, resource_names_subscribe=["*"])
    flooding = asyncio.ensure_future(flood(peer))
    await asyncio.sleep(0.2)
    client = bench.server._clients[PROXY][0]
    assert len(client._requests) <= MAX_WAITING_REQUESTS
    flooding.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await flooding


async def flood(peer: Peer) -> None:
    for _ in range(20_000):
        await peer.say(R, response_nonce="stale")


async def test_a_client_that_comes_back_with_fifty_thousand_names_is_heard(bench: Bench) -> None:
    serving(bench, endpoints("c0", "2"))
    names = [f"outbound_with_quite_a_long_name_{i:06}_of_a_service_8080" for i in range(50_000)]
    peer = bench.peer()
    await peer.say(
        E,
        node=NODE,
        resource_names_subscribe=["c0", *names],
        initial_resource_versions=dict.fromkeys(names, "0123456789abcdef0123456789abcdef"),
    )
    response = await peer.hear()
    assert [resource.name for resource in response.resources] in (["c0"], [])


async def test_a_client_that_vanishes_is_forgotten(bench: Bench) -> None:
    serving(bench, plain("a"))
    peer = bench.peer()
    await peer.say(C, node=NODE)
    await peer.hear()
    peer.call.cancel()
    await bench.until(lambda: not bench.server.clients())


async def test_a_failure_in_one_stream_ends_that_stream_only(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving(bench, plain("a"))
    good, bad = bench.peer(), bench.peer()
    await good.say(C, node=NODE)
    await good.hear()
    await bad.say(E, node={**NODE, "id": "bad"}, resource_names_subscribe=["a"])
    await bad.hear()
    client = next(c for c in bench.server._clients[PROXY] if c.node.id == "bad")

    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(client.stream, "hear", fail)
    await bad.say(E)
    assert await bad.ended() is grpc.StatusCode.INTERNAL
    await good.say(C)
    assert [state.node_id for state in bench.server.clients()] == ["one"]


async def test_stopping_ends_the_streams(bench: Bench) -> None:
    serving(bench, plain("a"))
    peer = bench.peer()
    await peer.say(C, node=NODE)
    await peer.hear()
    await asyncio.wait_for(bench.server.stop(), SECONDS)
    assert await peer.ended() is not grpc.StatusCode.OK
    assert bench.server.clients() == []


async def test_a_port_in_use_is_said(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(OSError, match=address):
            await bench.server.start(address)


async def test_two_addresses_serve_the_same(bench: Bench, tmp_path: Any) -> None:
    serving(bench, plain("a"))
    await bench.server.start(f"unix:{tmp_path}/xds.sock")
    connecting: Any = grpc.aio.insecure_channel(f"unix:{tmp_path}/xds.sock")
    async with connecting as channel:
        call = channel.stream_stream(f"/{SERVICE}/DeltaAggregatedResources")()
        peer = Peer(call, DeltaDiscoveryRequest, DeltaDiscoveryResponse)
        await peer.say(C, node=NODE)
        assert len((await peer.hear()).resources) == 1


async def test_who_refuses_what_is_not_looked_through_for_each_client_that_has_its_change(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or each change would cost the square of the clients."""
    serving(bench, endpoints("a"))
    peers = [bench.peer() for _ in range(5)]
    for number, peer in enumerate(peers):
        await peer.say(E, node={**NODE, "id": str(number)}, resource_names_subscribe=["a"])
        await peer.say(E, response_nonce=(await peer.hear()).nonce)
    await bench.until(lambda: all(each.types[0].acked for each in bench.server.clients()))
    reports: list[str] = []

    def looks_through(proxy: str) -> dict[ResourceKey, Rejection]:
        reports.append(proxy)
        return {}

    monkeypatch.setattr(bench.server, "_rejections", looks_through)
    bench.server.publish(changes(endpoints("a", "2")))
    for peer in peers:
        await peer.say(E, response_nonce=(await peer.hear()).nonce)
    await bench.until(lambda: bench.server.counts.acknowledged == 2 * len(peers))
    assert reports == [PROXY]
