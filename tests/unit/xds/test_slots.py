"""How filters that policies bring along share the slots of connection managers."""

from __future__ import annotations

from google.protobuf.message import Message

from serai.proto.envoy import Buffer, HttpRBAC
from serai.xds.encode.policies import LATE, SLOTS, _parts, http_filters

SYNC, WAITS = "envoy.filters.http.header_mutation", "envoy.filters.http.ext_authz"


def run(*names: str) -> list[tuple[str, Message]]:
    return [(name, Buffer()) for name in names]


def parts(*names: str) -> list[list[str]]:
    return [[name for name, _ in part] for _, part in _parts(LATE, run(*names))]


def test_what_may_wait_is_alone_and_the_rest_share() -> None:
    gzip = "envoy.filters.http.compressor.gzip"
    assert parts() == []
    assert parts(SYNC, gzip, SYNC) == [[SYNC, gzip, SYNC]]
    assert parts(SYNC, WAITS, SYNC, SYNC) == [[SYNC], [WAITS], [SYNC, SYNC]]
    assert parts(WAITS, WAITS) == [[WAITS], [WAITS]]


def test_where_there_are_too_few_slots_nothing_passes() -> None:
    enough = list(_parts(LATE, run(*[WAITS] * SLOTS[LATE])))
    assert len(enough) == SLOTS[LATE]

    ((slot, ((name, rbac),)),) = _parts(LATE, run(*[WAITS] * (SLOTS[LATE] + 1)))
    assert (slot, name) == (LATE, "envoy.filters.http.rbac")
    assert rbac == HttpRBAC(rules={})


def test_every_slot_is_in_the_connection_manager() -> None:
    there = {each["name"] for each in http_filters()}
    for row, number in SLOTS.items():
        assert {row, f"{row}.{number}"} <= there
