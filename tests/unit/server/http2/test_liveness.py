"""Clients that say nothing are found out.  Time is passed by hand."""

from __future__ import annotations

import asyncio

import pytest

from serai.server.http2.liveness import ANSWER_SECONDS, HELLO_SECONDS, QUIET_SECONDS, Liveness


class Told:
    def __init__(self) -> None:
        self.asked = 0
        self.lost: list[str] = []

    def ask(self) -> None:
        self.asked += 1


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long is waited, each time."""
    found: list[float] = []
    after = Liveness._after

    def noted(self: Liveness, seconds: float) -> asyncio.TimerHandle:
        found.append(seconds)
        return after(self, seconds)

    monkeypatch.setattr(Liveness, "_after", noted)
    return found


async def test_who_does_not_say_what_he_speaks_goes(waits: list[float]) -> None:
    told = Told()
    liveness = Liveness(told.ask, told.lost.append)
    assert waits == [HELLO_SECONDS]
    liveness._look()
    assert "did not say what it speaks" in told.lost[0]
    liveness.stop()


async def test_who_is_quiet_is_asked_and_may_answer(waits: list[float]) -> None:
    told = Told()
    liveness = Liveness(told.ask, told.lost.append)
    liveness.greeted()
    liveness._look()
    assert (told.asked, waits[-2:]) == (1, [QUIET_SECONDS, ANSWER_SECONDS])
    liveness.heard = True
    liveness._look()
    assert (told.lost, waits[-1]) == ([], QUIET_SECONDS)
    liveness._look()
    liveness._look()
    assert told.asked == 2
    assert "did not answer a PING" in told.lost[0]
    liveness.stop()
