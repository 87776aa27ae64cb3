"""What gRPC asks of a server, spoken by hand; unit/server/test_ads_server has gRPC's own client."""

from __future__ import annotations

import struct

import pytest

from serai.server.calls import Status
from serai.server.http2.frames import END_STREAM, Code, Kind, frame
from unit.server.http2.wire import REQUEST, Peer, message, messages_in


def said(**other: str) -> tuple[tuple[str, str], ...]:
    changed = {name.replace("_", "-"): value for name, value in other.items()}
    pseudo = {f":{each}" for each in ("path", "method")}
    named = {f":{name}" if f":{name}" in pseudo else name: v for name, v in changed.items()}
    kept = tuple((name, named.pop(name, value)) for name, value in REQUEST)
    return (*kept, *named.items())


async def test_each_message_is_answered_and_the_end_is_a_status() -> None:
    peer = Peer()
    peer.say(peer.head() + message(b"one") + message(b"", flags=END_STREAM))
    frames = peer.heard()
    assert messages_in(frames) == [b"one", b""]
    head, *_, trailers = (each for each in frames if each.kind == Kind.HEADERS)
    assert peer.pairs(head) == {":status": "200", "content-type": "application/grpc"}
    assert peer.pairs(trailers) == {"grpc-status": "0"}
    assert trailers.flags & END_STREAM


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        (said(path="/test/Other"), ("200", Status.UNIMPLEMENTED)),
        (said(grpc_encoding="gzip"), ("200", Status.UNIMPLEMENTED)),
        (said(method="GET"), ("405", None)),
        (said(content_type="text/html"), ("415", None)),
        (said(content_type="application/grpc-web"), ("415", None)),
    ],
)
async def test_what_is_not_served_is_told_and_the_stream_ends(
    asked: tuple[tuple[str, str], ...], answered: tuple[str, Status | None]
) -> None:
    peer = Peer()
    peer.say(peer.head(pairs=asked) + message(b"x"))
    *heads, ended = peer.heard()
    pairs = {name: value for each in heads for name, value in peer.pairs(each).items()}
    status, code = answered
    assert pairs[":status"] == status
    assert pairs.get("grpc-status") == (str(int(code)) if code is not None else None)
    assert heads[-1].flags & END_STREAM and ended.kind == Kind.RST_STREAM
    assert peer.echoes == []


async def test_subtypes_and_identity_are_served() -> None:
    peer = Peer()
    asked = said(content_type="application/grpc+proto", grpc_encoding="identity")
    peer.say(peer.head(pairs=asked) + message(b"x"))
    assert messages_in(peer.heard()) == [b"x"]


async def test_a_message_that_is_compressed_is_refused() -> None:
    peer = Peer()
    peer.say(peer.head() + frame(Kind.DATA, 0, 1, struct.pack(">BL", 1, 1) + b"x"))
    *_, answer = (each for each in peer.heard() if each.kind == Kind.HEADERS)
    assert peer.pairs(answer)["grpc-status"] == str(int(Status.UNIMPLEMENTED))
    assert peer.echoes[0].events == ["gone"]


async def test_a_last_message_that_is_not_whole_is_refused() -> None:
    peer = Peer()
    peer.say(peer.head() + frame(Kind.DATA, END_STREAM, 1, struct.pack(">BL", 0, 9) + b"x"))
    *_, answer = (each for each in peer.heard() if each.kind == Kind.HEADERS)
    assert peer.pairs(answer)["grpc-status"] == str(int(Status.INTERNAL))


async def test_words_of_a_status_are_safe_on_the_wire() -> None:
    peer = Peer()
    peer.say(peer.head())
    peer.echoes[0].call.finish(Status.PERMISSION_DENIED, "no: 100 % \n\u00fc")
    *_, answer = (each for each in peer.heard() if each.kind == Kind.HEADERS)
    assert peer.pairs(answer)["grpc-message"] == "no: 100 %25 %0A%C3%BC"


async def test_a_call_that_is_taken_back_is_told_once_and_answers_nothing() -> None:
    peer = Peer()
    peer.say(peer.head() + message(b"x"))
    peer.heard()
    peer.say(frame(Kind.RST_STREAM, 0, 1, struct.pack(">L", Code.CANCEL)))
    peer.echoes[0].call.send(b"late")
    peer.echoes[0].call.finish(Status.OK)
    peer.connection.connection_lost(None)
    assert peer.heard() == []
    assert peer.echoes[0].events == ["gone"]


async def test_a_connection_that_is_lost_takes_all_its_calls_along() -> None:
    peer = Peer()
    peer.say(peer.head() + peer.head(stream=3))
    peer.connection.connection_lost(OSError("cut"))
    assert [each.events for each in peer.echoes] == [["gone"], ["gone"]]


async def test_at_the_end_everybody_is_told() -> None:
    peer = Peer()
    peer.say(peer.head())
    peer.connection.close()
    assert peer.gone() == Code.NO_ERROR
    assert peer.wire.closed
