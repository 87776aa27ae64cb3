"""Which listeners are in conflict is what comparing each with each says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from serai.api.gateway import Listener
from serai.attach.conflicts import HOSTNAME, PROTOCOL, added_to, within_gateway

SNI = {"HTTPS", "TLS"}
PROTOCOLS = st.sampled_from(["HTTP", "HTTPS", "TLS", "TCP", "UDP", "odd"])
LISTENERS = st.lists(
    st.builds(
        lambda protocol, port, host: Listener("some", port, protocol, hostname=host),
        PROTOCOLS,
        st.sampled_from([1, 2]),
        st.sampled_from([None, "a", "A", "b"]),
    ),
    max_size=8,
)


def conflict(one: Listener, other: Listener) -> str:
    if one.port != other.port or (one.protocol == "UDP") != (other.protocol == "UDP"):
        return ""
    hosts = [(each.hostname or "").lower() for each in (one, other)]
    told_by_host = not {one.protocol, other.protocol} & {"TCP", "UDP"}
    same_host = hosts[0] == hosts[1] or not told_by_host
    if one.protocol == other.protocol:
        return HOSTNAME if same_host else ""
    if {one.protocol, other.protocol} <= SNI:
        return PROTOCOL if same_host else ""
    return PROTOCOL


def first(listener: Listener, others: Sequence[Listener]) -> str:
    found = (conflict(listener, other) for other in others if other is not listener)
    return next((each for each in found if each), "")


def one_by_one(own: Sequence[Listener], added: Sequence[Listener]) -> Iterator[str]:
    there = list(own)
    for listener in added:
        reason = first(listener, there)
        if not reason:
            there.append(listener)
        yield reason


@given(LISTENERS)
def test_of_a_gateway_all_are_out_that_are_not_distinct(listeners: list[Listener]) -> None:
    assert list(within_gateway(listeners)) == [first(each, listeners) for each in listeners]


@given(LISTENERS, LISTENERS)
def test_of_what_is_added_the_earlier_wins(own: list[Listener], added: list[Listener]) -> None:
    assert list(added_to(own, added)) == list(one_by_one(own, added))
