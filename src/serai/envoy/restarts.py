"""When an Envoy that died is started again.  Pure: times come in as arguments, in seconds."""

from __future__ import annotations

import msgspec


class RestartPolicy(msgspec.Struct, frozen=True):
    """How patient to be."""

    first_seconds: float = 0.1
    longest_seconds: float = 10.0
    healthy_seconds: float = 30.0
    """An Envoy that was ready for so long has earned a fresh start."""
    loop_deaths: int = 3
    """Deaths in a row, none after a healthy life, that are called a crash loop."""


class Restart(msgspec.Struct, frozen=True):
    """What to do after a death."""

    deaths: int
    """In a row; to be given back at the next one."""
    delay_seconds: float
    is_crash_loop: bool


def after_death(policy: RestartPolicy, deaths: int, ready_seconds: float) -> Restart:
    """What to do after one more death, of an Envoy that was ready for `ready_seconds`."""
    deaths = 1 if ready_seconds >= policy.healthy_seconds else deaths + 1
    # The exponent is bounded because a loop may last for weeks.
    delay = policy.first_seconds * 2.0 ** min(deaths - 1, 32)
    return Restart(deaths, min(delay, policy.longest_seconds), deaths >= policy.loop_deaths)
