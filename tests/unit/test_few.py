"""Sets of one, of a few and of very many elements are sets all the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serai.incremental.few import MOST, Few, added, elements, few_of, removed

moves = st.lists(st.tuples(st.booleans(), st.integers(0, 2 * MOST)), max_size=6 * MOST)


@given(moves)
def test_they_hold_what_was_put_in_and_not_taken_out_in_order(
    done: list[tuple[bool, int]],
) -> None:
    few: Few[int] = None
    expected: dict[int, None] = {}
    for comes, element in done:
        if comes and element not in expected:
            few = added(few, element)
            expected[element] = None
        elif not comes:
            few = removed(few, element)
            expected.pop(element, None)
        assert list(elements(few)) == list(elements(few_of(expected))) == list(expected)
        # One that is made at once can go on in the same way.
        few = few_of(expected) if len(expected) % 3 == 0 else few
        assert (few is None) == (not expected)
