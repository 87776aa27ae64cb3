"""Bytes that are joined by hand are what the messages would be."""

from __future__ import annotations

from typing import Any

import pytest

from serai.proto.envoy import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    DiscoveryRequest,
    DiscoveryResponse,
)
from serai.xds.delta import DeltaResponse
from serai.xds.resource import Resource
from serai.xds.sotw import SotwResponse
from serai.xds.wire import (
    Node,
    Unreadable,
    decode_delta,
    decode_sotw,
    encode_delta,
    encode_sotw,
)
from serai.xds.world import Entry
from unit.xds.speaker import C, R, plain

SIZES = (0, 1, 100, 127, 128, 129, 16_000, 16_383, 16_384, 3_000_000)
RESOURCES = [
    *(Resource(R, f"r{size}", "v", bytes(size)) for size in SIZES),
    Resource(R, "é" * 200, "v" * 300, b"body"),
]


def any_of(entry: Entry) -> dict[str, Any]:
    return {"type_url": R.type_url, "value": entry.resource.body}


@pytest.mark.parametrize("times", [1, 2])
def test_delta_responses(times: int) -> None:
    entries = tuple(Entry(resource) for resource in RESOURCES)
    response = DeltaResponse(R, "17", entries, ("gone", "too"))
    data = [encode_delta(response) for _ in range(times)][-1]
    assert DeltaDiscoveryResponse.FromString(data) == DeltaDiscoveryResponse(
        type_url=R.type_url,
        nonce="17",
        removed_resources=["gone", "too"],
        resources=[{"name": e.name, "version": e.version, "resource": any_of(e)} for e in entries],
    )


def test_state_of_the_world_responses() -> None:
    entries = tuple(Entry(resource) for resource in RESOURCES)
    data = encode_sotw(SotwResponse(R, "17", "v9", entries))
    assert DiscoveryResponse.FromString(data) == DiscoveryResponse(
        type_url=R.type_url,
        nonce="17",
        version_info="v9",
        resources=[any_of(entry) for entry in entries],
    )


def test_a_delta_request_is_read() -> None:
    message = DeltaDiscoveryRequest(
        node={"id": "i", "cluster": "shop/waypoint", "user_agent_name": "envoy"},
        type_url=C.type_url,
        resource_names_subscribe=["a", "b"],
        resource_names_unsubscribe=["c"],
        initial_resource_versions={"d": "1"},
        response_nonce="7",
        error_detail={"message": "no\n"},
    )
    node, request = decode_delta(message.SerializeToString())
    assert node == Node("i", "shop/waypoint", "envoy")
    assert not isinstance(request, Unreadable)
    assert (request.type, request.subscribe, request.unsubscribe) == (C, ("a", "b"), ("c",))
    assert (request.initial_versions, request.nonce, request.error) == ({"d": "1"}, "7", "no")


def test_a_state_of_the_world_request_is_read() -> None:
    message = DiscoveryRequest(
        type_url=C.type_url, resource_names=["a"], version_info="v", response_nonce="7"
    )
    node, request = decode_sotw(message.SerializeToString())
    assert node is None
    assert not isinstance(request, Unreadable)
    assert (request.type, request.names, request.version) == (C, ("a",), "v")
    assert (request.nonce, request.error) == ("7", None)


def test_a_rejection_without_words_is_a_rejection() -> None:
    message = DeltaDiscoveryRequest(type_url=C.type_url, error_detail={"code": 13})
    request = decode_delta(message.SerializeToString()).request
    assert not isinstance(request, Unreadable)
    assert request.error == "code 13"


@pytest.mark.parametrize("why", ["\n: Proto constraint validation failed (Value).", ""])
def test_what_is_refused_is_not_quoted_since_it_may_be_a_secret(why: str) -> None:
    said = f'Invalid value: goo.gle/debugonly  \nheader {{\n  value: "hush"\n}}{why}'
    message = DeltaDiscoveryRequest(type_url=C.type_url, error_detail={"message": said})
    request = decode_delta(message.SerializeToString()).request
    assert not isinstance(request, Unreadable)
    assert request.error == "Invalid value: the configuration" + why.removeprefix("\n")


@pytest.mark.parametrize("decode", [decode_delta, decode_sotw])
@pytest.mark.parametrize(
    ("data", "breaks"),
    [
        (b"\xff\xff", True),
        (b"", True),
        (DiscoveryRequest(response_nonce="x").SerializeToString(), True),
    ],
)
def test_what_cannot_be_read_is_said(decode: Any, data: bytes, *, breaks: bool) -> None:
    request = decode(data).request
    assert isinstance(request, Unreadable)
    assert request.breaks_protocol is breaks
    assert request.reason


@pytest.mark.parametrize(
    ("decode", "make"), [(decode_delta, DeltaDiscoveryRequest), (decode_sotw, DiscoveryRequest)]
)
def test_a_type_that_is_not_served_does_not_break_the_protocol(decode: Any, make: Any) -> None:
    request = decode(make(type_url="type.googleapis.com/nothing").SerializeToString()).request
    assert isinstance(request, Unreadable)
    assert not request.breaks_protocol


def test_a_body_stays_what_it_was() -> None:
    resource = plain("a")
    data = encode_delta(DeltaResponse(C, "1", (Entry(resource),), ()))
    (sent,) = DeltaDiscoveryResponse.FromString(data).resources
    assert sent.resource.value == resource.body
