"""How long a request may take, where its route says nothing.  Envoy: RouteAction."""

from __future__ import annotations

from datetime import timedelta

from serai.api.duration import seconds
from serai.api.traffic_policy import Timeouts as Spec
from serai.ir.origin import Value
from serai.policies.feature import (
    Asked,
    Compiled,
    Context,
    Encoded,
    Fault,
    Feature,
    Judgement,
    Stage,
)


class Timeouts(Value, frozen=True):
    """In seconds; 0 disables, None says nothing."""

    request: float | None = None
    stream_idle: float | None = None


def _compile(_: Context, spec: Spec) -> Compiled | Fault:
    request = seconds(spec.request) if spec.request else None
    idle = seconds(spec.stream_idle) if spec.stream_idle else None
    for field, text, found in (
        ("request", spec.request, request),
        ("streamIdle", spec.stream_idle, idle),
    ):
        if text and found is None:
            return Fault(field, f'"{text}" is not a duration such as 1m30s')
    return Compiled(Timeouts(request, idle))


def _encode(timeouts: Timeouts) -> Encoded:
    action = {"timeout": timeouts.request, "idle_timeout": timeouts.stream_idle}
    return Encoded(
        action={
            field: timedelta(seconds=found) for field, found in action.items() if found is not None
        }
    )


def _judge(timeouts: Timeouts, _: Asked) -> Judgement:
    words = [
        f"{what} {found:g} s"
        for what, found in (("at most", timeouts.request), ("idle for", timeouts.stream_idle))
        if found is not None
    ]
    return Judgement(", ".join(words))


TIMEOUTS = Feature(
    name="timeouts", stage=Stage.ROUTE, compile=_compile, encode=_encode, judge=_judge
)
