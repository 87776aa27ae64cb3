"""Which of very many patterns is the first that has hosts of another."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serai.attach.hostnames import intersection
from serai.status.overlap import Patterns

names = st.sampled_from(["*", "a", "b", "a.b", "*.b", "*.a.b", "x.a.b", "y.a.b", "b.a", "*.a"])


@given(names, st.lists(st.lists(names, max_size=2), max_size=6), st.integers(0, 6))
def test_it_is_the_one_found_by_trying_each(
    pattern: str, places: list[list[str]], but: int
) -> None:
    known = Patterns()
    for place, those in enumerate(places):
        for each in those:
            known.add(each, place)

    expected = [
        place
        for place, those in enumerate(places)
        if place != but and any(intersection(each, pattern) for each in those)
    ]
    assert known.first(pattern, but) == min(expected, default=None)
