"""Sets of which there are very many, nearly all of them of one element, and some of thousands.

Such a set is None while it is empty, its element while that is the only one, a list of a few, and
then a dictionary.  Elements can be hashed, which no list and no dictionary can, and none is None.
A dictionary of two takes three times the memory of a list of two.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import TypeAlias, TypeVar

E = TypeVar("E", bound=Hashable)

Few: TypeAlias = E | list[E] | dict[E, None] | None

MOST = 8
"""Elements that are looked for one after the other."""


def few_of(distinct: Collection[E]) -> Few[E]:
    """The set of some elements, each of which is there once."""
    if len(distinct) > MOST:
        return dict.fromkeys(distinct)
    return list(distinct) if len(distinct) > 1 else next(iter(distinct), None)


def elements(few: Few[E]) -> Sequence[E] | dict[E, None]:
    """What is in it, in the order in which it came."""
    if isinstance(few, list | dict):
        return few
    return () if few is None else (few,)


def added(few: Few[E], element: E) -> Few[E]:
    """The set with an element that is not in it; the one before must not be used any more."""
    if few is None:
        return element
    if isinstance(few, dict):
        few[element] = None
        return few
    if not isinstance(few, list):
        return [few, element]
    if len(few) == MOST:
        return dict.fromkeys([*few, element])
    few.append(element)
    return few


def removed(few: Few[E], element: E) -> Few[E]:
    """The set without an element that may be in it; the one before must not be used any more."""
    if isinstance(few, dict):
        few.pop(element, None)
        return few or None
    if isinstance(few, list):
        left = [each for each in few if each != element]
        return left if len(left) > 1 else left[0]
    return None if few == element else few
