"""Who has something to do is served soon, with all the others."""

from __future__ import annotations

import asyncio
from functools import partial

from serai.server.turns import Turns


async def test_all_who_ask_are_served_in_one_turn() -> None:
    turns = Turns()
    served: list[object] = []
    for number in range(3):
        turns.ask(partial(served.append, number))
    assert served == []
    await asyncio.sleep(0)
    assert served == [0, 1, 2]


async def test_who_asks_during_a_turn_is_in_the_next_one() -> None:
    turns = Turns()
    served: list[object] = []
    turns.ask(lambda: turns.ask(lambda: served.append("next")))
    await asyncio.sleep(0)
    assert served == []
    await asyncio.sleep(0)
    assert served == ["next"]


async def test_one_that_fails_costs_no_other_its_turn() -> None:
    turns = Turns()
    served: list[object] = []

    def fail() -> None:
        raise ValueError("no")

    turns.ask(fail)
    turns.ask(lambda: served.append("other"))
    await asyncio.sleep(0)
    assert served == ["other"]
