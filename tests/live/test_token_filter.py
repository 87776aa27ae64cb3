"""What Serai takes from policies on tokens Envoy takes too: one that it refused would cost all."""

from __future__ import annotations

from typing import Any

import pytest

from serai.envoy.binary import find_envoy
from serai.envoy.validate import refusal
from serai.policies.tokens.check import fault_in
from serai.policies.tokens.encode import encode_filter
from serai.policies.tokens.keys import NOBODYS
from serai.policies.tokens.requirement import (
    ClaimHeader,
    Provider,
    Requirement,
    TokenHeader,
    Tokens,
)
from serai.proto.envoy import HttpConnectionManager, Router
from serai.proto.json import to_json
from serai.proto.pool import pack

pytestmark = pytest.mark.live

ODD = (
    *("é", "\u2028x", "a\tb", "a b", "%REQ(x)%", '"q"', "'", "\\", "a:b", "x" * 2048, "*", "{}"),
    *("a,b", ";", "=", "\U0001f600", "a.b.c", ".", "..", "a..b", " ", "\u200b", "", "a\nb", "\0"),
)


def providers(text: str) -> list[Provider]:
    """A text in every place that has one."""
    written: list[dict[str, Any]] = [
        {"issuer": text},
        {"audiences": (text,)},
        {"params": (text,)},
        {"cookies": (text,)},
        {"headers": (TokenHeader("x-a", text),)},
        {"headers": (TokenHeader(text),)},
        {"outputs": (ClaimHeader("x-b", text),)},
        {"outputs": (ClaimHeader(text, "c"),)},
        {"payload_header": text},
        {"spaced": (text,)},
    ]
    return [Provider(**{"issuer": "i", "keys": NOBODYS, **fields}) for fields in written]


def bootstrap(found: list[Provider]) -> dict[str, Any]:
    wanted = {each.name: Requirement((Tokens((each,)),)) for each in found}
    config = encode_filter(wanted, lambda _: NOBODYS)
    filters = [{"name": "tokens", "typed_config": pack(config)}]
    filters.append({"name": "envoy.filters.http.router", "typed_config": pack(Router())})
    manager = HttpConnectionManager(stat_prefix="x", route_config={}, http_filters=filters)
    kind = "type.googleapis.com/" + manager.DESCRIPTOR.full_name
    chain = {"filters": [{"name": "http", "typed_config": {"@type": kind, **to_json(manager)}}]}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
    listener = {"name": "l", "address": address, "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener]}}


async def test_envoy_takes_all_that_is_not_told_as_a_fault() -> None:
    binary, _ = find_envoy()
    assert binary is not None
    every = [each for text in ODD for each in providers(text)]
    good = [each for each in every if fault_in(each) is None]
    assert 100 < len(good) < len(every)
    assert await refusal(binary, bootstrap(good)) == ""
