"""What RFC 9113 asks of a server, rule by rule, and what is refused to protect us."""

from __future__ import annotations

import struct

import pytest

from serai.server.http2.connection import MOST_RESETS, MOST_STREAMS, MOST_UNREAD
from serai.server.http2.frames import (
    ACK,
    END_HEADERS,
    END_STREAM,
    LARGEST,
    LARGEST_WINDOW,
    PADDED,
    PREFACE,
    PRIORITY,
    Code,
    Kind,
    frame,
    head,
    window_update,
)
from unit.server.http2.wire import REQUEST, Peer, message, messages_in


def setting(name: int, value: int) -> bytes:
    return frame(Kind.SETTINGS, 0, 0, struct.pack(">HL", name, value))


def without(name: str) -> tuple[tuple[str, str], ...]:
    return tuple(each for each in REQUEST if each[0] != name)


CONNECTION_RULES = {
    "3.4 another protocol": (b"GET / HTTP/1.1\r\n\r\n", Code.PROTOCOL_ERROR),
    "4.2 a frame that is too large": (
        head(LARGEST + 1, Kind.DATA, 0, 1) + bytes(LARGEST + 1),
        Code.FRAME_SIZE_ERROR,
    ),
    "4.3 a head of which nothing can be made": (
        frame(Kind.HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff"),
        Code.COMPRESSION_ERROR,
    ),
    "5.1 DATA of a stream that is not open": (message(b"x"), Code.PROTOCOL_ERROR),
    "5.1 RST_STREAM of a stream that is not open": (
        frame(Kind.RST_STREAM, 0, 1, bytes(4)),
        Code.PROTOCOL_ERROR,
    ),
    "5.1 WINDOW_UPDATE of a stream that is not open": (window_update(1, 1), Code.PROTOCOL_ERROR),
    "5.1.1 a stream with an even number": (
        frame(Kind.HEADERS, END_HEADERS, 2),
        Code.PROTOCOL_ERROR,
    ),
    "6.1 DATA of no stream": (message(b"x", stream=0), Code.PROTOCOL_ERROR),
    "6.2 HEADERS of no stream": (frame(Kind.HEADERS, END_HEADERS, 0), Code.PROTOCOL_ERROR),
    "6.3 PRIORITY of no stream": (frame(Kind.PRIORITY, 0, 0, bytes(5)), Code.PROTOCOL_ERROR),
    "6.4 RST_STREAM of no stream": (frame(Kind.RST_STREAM, 0, 0, bytes(4)), Code.PROTOCOL_ERROR),
    "6.5 SETTINGS of a stream": (frame(Kind.SETTINGS, 0, 1), Code.PROTOCOL_ERROR),
    "6.5 SETTINGS of a wrong size": (
        frame(Kind.SETTINGS, 0, 0, bytes(5)),
        Code.FRAME_SIZE_ERROR,
    ),
    "6.5 an acknowledgement with content": (
        frame(Kind.SETTINGS, ACK, 0, bytes(6)),
        Code.FRAME_SIZE_ERROR,
    ),
    "6.5.2 ENABLE_PUSH of 2": (setting(2, 2), Code.PROTOCOL_ERROR),
    "6.5.2 an initial window that is too large": (
        setting(4, LARGEST_WINDOW + 1),
        Code.FLOW_CONTROL_ERROR,
    ),
    "6.5.2 a largest frame that is too small": (setting(5, 100), Code.PROTOCOL_ERROR),
    "6.6 a client pushes": (frame(Kind.PUSH_PROMISE, 0, 1, bytes(8)), Code.PROTOCOL_ERROR),
    "6.7 PING of a stream": (frame(Kind.PING, 0, 1, bytes(8)), Code.PROTOCOL_ERROR),
    "6.7 PING of a wrong size": (frame(Kind.PING, 0, 0, bytes(7)), Code.FRAME_SIZE_ERROR),
    "6.8 GOAWAY of a stream": (frame(Kind.GOAWAY, 0, 1, bytes(8)), Code.PROTOCOL_ERROR),
    "6.9 WINDOW_UPDATE of a wrong size": (
        frame(Kind.WINDOW_UPDATE, 0, 0, bytes(3)),
        Code.FRAME_SIZE_ERROR,
    ),
    "6.9 no more room, said": (window_update(0, 0), Code.PROTOCOL_ERROR),
    "6.9.1 more room than there can be": (
        window_update(0, LARGEST_WINDOW),
        Code.FLOW_CONTROL_ERROR,
    ),
    "6.10 CONTINUATION of nothing": (
        frame(Kind.CONTINUATION, END_HEADERS, 1),
        Code.PROTOCOL_ERROR,
    ),
}


@pytest.mark.parametrize("rule", CONNECTION_RULES)
async def test_what_ends_a_connection(rule: str) -> None:
    said, code = CONNECTION_RULES[rule]
    peer = Peer(hello=not rule.startswith("3.4"))

    peer.say(said)

    assert peer.gone() == code
    assert peer.wire.closed
    assert peer.refusals


async def test_a_first_frame_that_is_not_settings_ends_it() -> None:
    peer = Peer(hello=False)
    peer.say(PREFACE + frame(Kind.PING, 0, 0, bytes(8)))
    assert peer.gone() == Code.PROTOCOL_ERROR


@pytest.mark.parametrize("flags", [PADDED, PADDED | PRIORITY])
async def test_padding_that_is_longer_than_the_frame_ends_it(flags: int) -> None:
    peer = Peer()
    peer.say(frame(Kind.HEADERS, flags | END_HEADERS, 1, b"\xff" + bytes(20)))
    assert peer.gone() == Code.PROTOCOL_ERROR


async def test_a_head_in_parts_may_not_be_interrupted() -> None:
    peer = Peer()
    peer.say(peer.head(flags=0) + frame(Kind.PING, 0, 0, bytes(8)))
    assert peer.gone() == Code.PROTOCOL_ERROR


async def test_a_head_in_parts_is_one() -> None:
    peer = Peer()
    whole = peer.head()[9:]
    peer.say(frame(Kind.HEADERS, 0, 1, whole[:7]))
    peer.say(frame(Kind.CONTINUATION, 0, 1, whole[7:20]))
    peer.say(frame(Kind.CONTINUATION, END_HEADERS, 1, whole[20:]) + message(b"hello"))
    assert messages_in(peer.heard()) == [b"hello"]


async def test_padding_and_priority_of_a_head_are_passed_over() -> None:
    peer = Peer()
    block = peer.head()[9:]
    padded = b"\x03" + bytes(5) + block + bytes(3)
    flags = PADDED | PRIORITY | END_HEADERS
    data = struct.pack(">BL", 0, 2) + b"hi"
    peer.say(frame(Kind.HEADERS, flags, 1, padded))
    peer.say(frame(Kind.DATA, PADDED, 1, b"\x05" + data + bytes(5)))
    assert messages_in(peer.heard()) == [b"hi"]


MALFORMED = {
    "no path": without(":path"),
    "no method": without(":method"),
    "no scheme": without(":scheme"),
    "a path twice": ((":path", "/x"), *REQUEST),
    "a pseudo field that is not known": ((":odd", "x"), *REQUEST),
    "a pseudo field of answers": ((":status", "200"), *REQUEST),
    "a pseudo field after others": (*without(":path"), (":path", "/x")),
    "a name in capitals": (*REQUEST, ("X-A", "x")),
    "connection": (*REQUEST, ("connection", "close")),
    "transfer-encoding": (*REQUEST, ("transfer-encoding", "chunked")),
    "te that is not trailers": (*without("te"), ("te", "gzip")),
    "a line's end in a value": (*REQUEST, ("x-a", "b\r\nc: d")),
}


@pytest.mark.parametrize("what", MALFORMED)
async def test_a_malformed_head_ends_its_stream_only(what: str) -> None:
    peer = Peer()
    peer.say(peer.head(pairs=MALFORMED[what]))
    assert peer.resets() == {1: Code.PROTOCOL_ERROR}
    peer.say(peer.head(stream=3) + message(b"still here", stream=3))
    assert messages_in(peer.heard()) == [b"still here"]
    assert not peer.wire.closed


async def test_nothing_may_follow_the_end_of_a_request() -> None:
    peer = Peer()
    peer.say(peer.head() + message(b"x"))
    stream = peer.connection._streams[1]
    stream.remote_ended = True  # as if the answer took long
    peer.heard()
    peer.say(message(b"y"))
    assert peer.resets() == {1: Code.STREAM_CLOSED}
    assert peer.echoes[0].events == ["gone"]


async def test_what_comes_late_for_a_stream_that_has_ended_is_passed_over() -> None:
    peer = Peer()
    peer.say(peer.head() + message(b"x", flags=END_STREAM))
    peer.heard()
    peer.say(message(b"late") + window_update(1, 5) + frame(Kind.RST_STREAM, 0, 1, bytes(4)))
    assert not peer.wire.closed
    assert peer.resets() == {}


async def test_trailers_of_a_request_end_it_and_others_are_none() -> None:
    peer = Peer()
    peer.say(peer.head() + peer.head(flags=END_HEADERS | END_STREAM, pairs=(("x-a", "b"),)))
    assert peer.echoes[0].events == ["ended"]
    peer.say(peer.head(stream=3) + peer.head(stream=3, pairs=(("x-a", "b"),)))
    assert peer.resets() == {3: Code.PROTOCOL_ERROR}


async def test_what_is_not_known_is_passed_over() -> None:
    peer = Peer()
    peer.say(frame(Kind.PRIORITY, 0, 1, bytes(5)) + head(3, 250, 0xFF, 0) + b"abc")  # type: ignore[arg-type]
    peer.say(setting(0xABCD, 7) + frame(Kind.GOAWAY, 0, 0, bytes(8)))
    peer.say(peer.head() + message(b"hello"))
    assert messages_in(peer.heard()) == [b"hello"]


async def test_pings_and_settings_are_acknowledged() -> None:
    peer = Peer()
    peer.say(frame(Kind.PING, 0, 0, b"12345678") + frame(Kind.PING, ACK, 0, b"12345678"))
    peer.say(setting(4, 1000) + frame(Kind.SETTINGS, ACK, 0))
    answers = [(each.kind, each.flags, each.payload) for each in peer.heard()]
    assert answers == [(Kind.PING, ACK, b"12345678"), (Kind.SETTINGS, ACK, b"")]


async def test_too_many_streams_at_a_time_are_refused() -> None:
    peer = Peer()
    for number in range(MOST_STREAMS):
        peer.say(peer.head(stream=2 * number + 1))
    peer.heard()
    peer.say(peer.head(stream=2 * MOST_STREAMS + 1))
    assert peer.resets() == {2 * MOST_STREAMS + 1: Code.REFUSED_STREAM}


async def test_a_head_that_does_not_end_ends_the_connection() -> None:
    peer = Peer()
    peer.say(frame(Kind.HEADERS, 0, 1, b"\x10\x01a"))
    for _ in range(8):
        if not peer.wire.closed:
            peer.say(frame(Kind.CONTINUATION, 0, 1, bytes(LARGEST)))
    assert peer.gone() == Code.ENHANCE_YOUR_CALM


async def test_nor_may_its_parts_be_empty() -> None:
    peer = Peer()
    peer.say(peer.head(flags=0) + frame(Kind.CONTINUATION, 0, 1))
    assert peer.gone() == Code.ENHANCE_YOUR_CALM


async def test_a_small_block_that_unpacks_to_much_ends_it() -> None:
    peer = Peer()
    long = (*REQUEST, ("x-long", "y" * 3000))
    peer.say(peer.head(pairs=long))
    peer.heard()
    again = (*REQUEST, *(("x-long", "y" * 3000) for _ in range(40)))  # each one byte, packed
    peer.say(peer.head(stream=3, pairs=again))
    assert peer.gone() == Code.ENHANCE_YOUR_CALM


async def test_streams_taken_back_again_and_again_end_it() -> None:
    peer = Peer()
    for number in range(MOST_RESETS + 1):
        stream = 2 * number + 1
        peer.say(peer.head(stream=stream) + frame(Kind.RST_STREAM, 0, stream, bytes(4)))
    assert peer.gone() == Code.ENHANCE_YOUR_CALM


async def test_asking_without_reading_the_answers_ends_it() -> None:
    peer = Peer()
    peer.connection.pause_writing()
    peer.wire.unsent = MOST_UNREAD + 1
    peer.say(frame(Kind.PING, 0, 0, bytes(8)))
    assert peer.gone() == Code.ENHANCE_YOUR_CALM
