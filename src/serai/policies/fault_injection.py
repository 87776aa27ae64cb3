"""Delays, failures and slow answers, on purpose.  Envoy: envoy.filters.http.fault."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from serai.api.duration import seconds
from serai.api.traffic_shaping import FaultInjection as Spec
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
from serai.proto.envoy import HTTPFault

FILTER = "envoy.filters.http.fault"
ALWAYS = 100


class Faults(Value, frozen=True):
    """What goes wrong, and for how many in a hundred requests."""

    delay_seconds: float = 0
    delay_percent: int = ALWAYS
    http_status: int = 0
    grpc_status: int | None = None
    abort_percent: int = ALWAYS
    kbits_per_second: int = 0
    rate_percent: int = ALWAYS
    most_active: int | None = None


def _compile(_: Context, spec: Spec) -> Compiled | Fault:
    if spec.disable is not None:
        return Compiled(Faults())
    delay = seconds(spec.delay.fixed_delay) if spec.delay else 0
    if spec.delay and not delay:
        return Fault("delay.fixedDelay", f'"{spec.delay.fixed_delay}" is not a duration such as 1s')
    abort = spec.abort
    if abort and (abort.http_status is None) == (abort.grpc_status is None):
        return Fault("abort", "exactly one of httpStatus and grpcStatus must be set")
    rate = spec.response_rate_limit
    return Compiled(
        Faults(
            delay_seconds=delay or 0,
            delay_percent=spec.delay.percentage if spec.delay else ALWAYS,
            http_status=(abort.http_status or 0) if abort else 0,
            grpc_status=abort.grpc_status if abort else None,
            abort_percent=abort.percentage if abort else ALWAYS,
            kbits_per_second=rate.kbits_per_second if rate else 0,
            rate_percent=rate.percentage if rate else ALWAYS,
            most_active=spec.max_active_faults,
        )
    )


def _encode(faults: Faults) -> Encoded:
    fields: dict[str, Any] = {}
    if faults.delay_seconds:
        delay = timedelta(seconds=faults.delay_seconds)
        fields["delay"] = {"fixed_delay": delay, "percentage": _percent(faults.delay_percent)}
    if faults.http_status:
        percent = _percent(faults.abort_percent)
        fields["abort"] = {"http_status": faults.http_status, "percentage": percent}
    elif faults.grpc_status is not None:
        percent = _percent(faults.abort_percent)
        fields["abort"] = {"grpc_status": faults.grpc_status, "percentage": percent}
    if faults.kbits_per_second:
        fields["response_rate_limit"] = {
            "fixed_limit": {"limit_kbps": max(faults.kbits_per_second // 8, 1)},
            "percentage": _percent(faults.rate_percent),
        }
    if not fields:
        return Encoded()
    if faults.most_active is not None:
        fields["max_active_faults"] = {"value": faults.most_active}
    return Encoded(filters=((FILTER, HTTPFault(**fields)),))


def _percent(percent: int) -> dict[str, Any]:
    return {"numerator": percent, "denominator": "HUNDRED"}


def _judge(faults: Faults, asked: Asked) -> Judgement:
    words = [f"{faults.delay_percent}% wait {faults.delay_seconds:g} s"] * bool(
        faults.delay_seconds
    )
    words += [f"{faults.rate_percent}% at {faults.kbits_per_second} kbit/s"] * bool(
        faults.kbits_per_second
    )
    is_grpc = (asked.header("content-type") or "").startswith("application/grpc")
    if faults.grpc_status is not None:
        words.append(f"{faults.abort_percent}% fail with gRPC status {faults.grpc_status}")
    if faults.http_status:
        words.append(f"{faults.abort_percent}% fail with {faults.http_status}")
        if faults.abort_percent == ALWAYS and not is_grpc:
            return Judgement(", ".join(words), status=faults.http_status)
    return Judgement(", ".join(words) or "no faults")


FAULT_INJECTION = Feature(
    name="faultInjection", stage=Stage.FAULT, compile=_compile, encode=_encode, judge=_judge
)
