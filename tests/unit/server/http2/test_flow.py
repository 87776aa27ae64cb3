"""Flow control both ways, and messages however they are cut.  RFC 9113, section 5.2."""

from __future__ import annotations

import asyncio
import random
import struct

from hypothesis import given
from hypothesis import strategies as st

from serai.server.calls import WINDOW, Status
from serai.server.http2.connection import CONNECTION_WINDOW
from serai.server.http2.frames import END_STREAM, PREFACE, Code, Kind, frame, window_update
from serai.server.http2.windows import USUAL, Incoming
from unit.server.http2.wire import LARGEST_MESSAGE, Peer, message, messages_in

LARGE = bytes(range(256)) * 800
"""More than any window has room for at first."""


def room_given(peer: Peer) -> dict[int, int]:
    """By stream, the increments that were told since this was last asked."""
    found: dict[int, int] = {}
    for each in peer.heard():
        if each.kind == Kind.WINDOW_UPDATE:
            more = struct.unpack(">L", each.payload)[0]
            found[each.stream] = found.get(each.stream, 0) + more
    return found


async def test_no_more_is_sent_than_there_is_room_for() -> None:
    peer = Peer()
    peer.say(peer.head())
    peer.heard()
    peer.echoes[0].call.send(LARGE)
    first = [each for each in peer.heard() if each.kind == Kind.DATA]
    assert sum(len(each.payload) for each in first) == USUAL
    assert all(len(each.payload) <= 16_384 for each in first)
    assert not peer.echoes[0].call.clear

    peer.say(window_update(1, 1_000_000))
    assert peer.heard() == []  # the connection has none
    peer.say(window_update(0, 100))
    (second,) = peer.heard()
    peer.say(window_update(0, 1_000_000))
    rest = peer.heard()
    assert messages_in([*first, second, *rest]) == [LARGE]
    assert peer.echoes[0].events == ["drained"]


async def test_room_that_is_taken_back_is_owed() -> None:
    peer = Peer()
    peer.say(peer.head() + window_update(0, 10_000_000))
    peer.echoes[0].call.send(LARGE)
    peer.heard()
    peer.say(frame(Kind.SETTINGS, 0, 0, struct.pack(">HL", 4, 0)))  # now 65,535 below nothing
    peer.say(window_update(1, USUAL))
    assert [each.kind for each in peer.heard()] == [Kind.SETTINGS]
    peer.say(window_update(1, 1))
    assert [len(each.payload) for each in peer.heard()] == [1]


async def test_a_larger_frame_is_used_where_the_client_takes_it() -> None:
    peer = Peer()
    peer.say(frame(Kind.SETTINGS, 0, 0, struct.pack(">HLHL", 4, 1_000_000, 5, 100_000)))
    peer.say(window_update(0, 1_000_000) + peer.head())
    peer.heard()
    peer.echoes[0].call.send(LARGE)
    sizes = [len(each.payload) for each in peer.heard() if each.kind == Kind.DATA]
    assert sizes == [100_000, 100_000, len(LARGE) + 5 - 200_000]


async def test_nothing_is_written_to_a_client_that_does_not_read() -> None:
    peer = Peer()
    peer.say(peer.head() + window_update(0, 1_000_000) + window_update(1, 1_000_000))
    peer.heard()
    peer.connection.pause_writing()
    peer.echoes[0].call.send(b"x")
    peer.echoes[0].call.finish(Status.OK)
    assert [each.kind for each in peer.heard()] == [Kind.HEADERS]
    peer.connection.resume_writing()
    assert [each.kind for each in peer.heard()] == [Kind.DATA, Kind.HEADERS, Kind.RST_STREAM]


async def test_room_is_given_back_to_who_is_trusted() -> None:
    peer = Peer()
    peer.say(peer.head())
    assert room_given(peer) == {1: WINDOW - USUAL}
    for _ in range(40):
        peer.say(message(bytes(16_000)))
    assert room_given(peer)[1] >= WINDOW // 2


async def test_and_not_to_who_is_not_yet() -> None:
    peer = Peer(trusted=False)
    peer.say(peer.head())
    for _ in range(4):
        peer.say(message(bytes(16_000)))
    assert 1 not in room_given(peer)
    peer.say(message(bytes(16_000)))
    assert peer.resets() == {1: Code.FLOW_CONTROL_ERROR}
    peer.say(peer.head(stream=3))
    peer.say(message(bytes(16_000), stream=3))
    peer.echoes[1].call.trust()
    assert room_given(peer)[3] == WINDOW - USUAL + 16_005


async def test_who_is_held_gets_room_when_he_is_let_go_on() -> None:
    peer = Peer()
    peer.say(peer.head())
    peer.echoes[0].call.hold()
    peer.heard()
    for _ in range(40):
        peer.say(message(bytes(16_000)))
    assert 1 not in room_given(peer)
    peer.echoes[0].call.release()
    assert room_given(peer)[1] == 40 * 16_005


async def test_more_than_the_connection_has_room_for_ends_it() -> None:
    peer = Peer(trusted=False)
    taken = peer.connection._incoming
    taken._given = 100  # as if so much were on its way
    peer.say(peer.head() + message(bytes(200)))
    assert peer.gone() == Code.FLOW_CONTROL_ERROR
    assert taken.size == CONNECTION_WINDOW


@given(st.lists(st.integers(1, 40_000), max_size=40))
def test_room_is_never_more_than_was_said(sizes: list[int]) -> None:
    window, left = Incoming(), USUAL
    for size in sizes:
        taken = min(size, left)
        assert window.take(taken)
        left += window.give_back() - taken
        assert USUAL // 2 <= left <= USUAL


@given(st.lists(st.binary(max_size=600), max_size=8), st.randoms(use_true_random=False))
def test_messages_are_the_same_wherever_bytes_are_cut(said: list[bytes], chance: object) -> None:
    assert isinstance(chance, random.Random)

    async def told() -> None:
        peer = Peer(hello=False)
        whole = PREFACE + frame(Kind.SETTINGS, 0, 0) + peer.head()
        stream = b"".join(struct.pack(">BL", 0, len(each)) + each for each in said)
        while stream:
            size = chance.randint(1, len(stream))
            whole += frame(Kind.DATA, 0, 1, stream[:size])
            stream = stream[size:]
        whole += frame(Kind.DATA, END_STREAM, 1)
        while whole:
            size = chance.randint(1, len(whole))
            peer.say(whole[:size])
            whole = whole[size:]
        assert peer.echoes[0].heard == said
        assert messages_in(peer.heard()) == said
        assert peer.echoes[0].events == ["ended"]

    asyncio.run(told())


async def test_a_message_that_is_too_large_is_refused_before_it_comes() -> None:
    peer = Peer()
    peer.say(peer.head())
    peer.heard()
    peer.say(frame(Kind.DATA, 0, 1, struct.pack(">BL", 0, LARGEST_MESSAGE + 1)))
    *_, answer, ended = peer.heard()
    assert peer.pairs(answer)["grpc-status"] == "8"
    assert ended.kind == Kind.RST_STREAM
