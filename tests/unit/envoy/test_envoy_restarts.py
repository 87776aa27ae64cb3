"""The restart policy: patience that grows, and is forgiven after a healthy life."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serai.envoy.restarts import Restart, RestartPolicy, after_death

POLICY = RestartPolicy()


def deaths(*lives: float) -> list[Restart]:
    restarts: list[Restart] = []
    for life in lives:
        restarts.append(after_death(POLICY, restarts[-1].deaths if restarts else 0, life))
    return restarts


def test_delays_double_up_to_the_longest() -> None:
    delays = [each.delay_seconds for each in deaths(*[0.0] * 9)]
    assert delays == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10])


def test_the_third_quick_death_is_a_crash_loop() -> None:
    assert [each.is_crash_loop for each in deaths(0, 0, 29.9, 0)] == [False, False, True, True]


def test_a_healthy_life_is_a_fresh_start() -> None:
    assert deaths(0, 0, 0, 30)[-1] == Restart(1, 0.1, is_crash_loop=False)


@given(st.integers(0, 10**9), st.floats(0, 1e9))
def test_the_delay_is_always_within_bounds(before: int, life: float) -> None:
    restart = after_death(POLICY, before, life)
    assert POLICY.first_seconds <= restart.delay_seconds <= POLICY.longest_seconds
