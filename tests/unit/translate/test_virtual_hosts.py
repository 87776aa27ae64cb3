"""Which routes answer a host, and what it takes to find them among very many."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from serai.attach.hostnames import covers, specificity
from serai.model.hosts import patterns
from serai.translate.virtual_hosts import HostGroup, HostRoutes, virtual_hosts

names = st.sampled_from(["*", "a", "b", "a.b", "*.b", "*.a.b", "x.a.b", "*-eu.a.b", "b.a", "*.a"])


def calls_for(services: int) -> int:
    entries = tuple(HostRoutes((f"s{number}.shop.example",), ()) for number in range(services))
    calls = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        found = virtual_hosts((HostGroup("*.example", entries),))
    finally:
        sys.setprofile(None)
    assert len(found) == services + 1
    return calls


@given(names, st.sets(names))
def test_the_patterns_of_a_host_are_those_that_cover_it_the_most_specific_first(
    host: str, others: set[str]
) -> None:
    found = [each for each in patterns(host) if each in others]
    covering = [each for each in others if covers(each, host)]
    assert found == sorted(covering, key=specificity, reverse=True)


def test_a_host_costs_the_same_among_many_as_among_few() -> None:
    assert calls_for(1000) <= 1.1 * 10 * calls_for(100)
