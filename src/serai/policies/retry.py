"""Asking again where an answer failed, where the route says nothing.  Envoy: RetryPolicy."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from serai.api.duration import seconds
from serai.api.traffic_shaping import Retry as Spec
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

STATUS_CODES = "retriable-status-codes"
CONDITIONS = frozenset(
    {
        *("5xx", "gateway-error", "reset", "reset-before-request", "connect-failure"),
        *("envoy-ratelimited", "retriable-4xx", "refused-stream", STATUS_CODES),
        *("http3-post-connect-failure", "cancelled", "deadline-exceeded", "internal"),
        *("resource-exhausted", "unavailable"),
    }
)


class Retries(Value, frozen=True):
    """When to ask again, and how often.  No attempts: never."""

    attempts: int
    conditions: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()
    per_try_seconds: float | None = None
    backoff_seconds: float = 0.025


def _compile(_: Context, spec: Spec) -> Compiled | Fault:
    unknown = [each for each in spec.retry_on if each not in CONDITIONS]
    if unknown:
        known = ", ".join(sorted(CONDITIONS))
        return Fault("retryOn", f"{unknown[0]} is not a condition; those are {known}")
    if not spec.retry_on and not spec.status_codes:
        return Fault("", "retryOn or statusCodes must say when to ask again")
    per_try = seconds(spec.per_try_timeout) if spec.per_try_timeout else None
    if spec.per_try_timeout and not per_try:
        return Fault("perTryTimeout", f'"{spec.per_try_timeout}" is not a duration such as 2s')
    backoff = seconds(spec.backoff_base_interval)
    if not backoff:
        message = f'"{spec.backoff_base_interval}" is not a duration such as 25ms'
        return Fault("backoffBaseInterval", message)
    return Compiled(Retries(spec.attempts, spec.retry_on, spec.status_codes, per_try, backoff))


def _encode(retries: Retries) -> Encoded:
    if not retries.attempts:
        return Encoded()
    listed = (*retries.conditions, *((STATUS_CODES,) if retries.statuses else ()))
    policy: dict[str, Any] = {
        "retry_on": ",".join(dict.fromkeys(listed)),
        "num_retries": {"value": retries.attempts},
        "retriable_status_codes": retries.statuses,
        # Envoy's own longest pause is ten times the base interval.
        "retry_back_off": {"base_interval": timedelta(seconds=retries.backoff_seconds)},
    }
    if retries.per_try_seconds is not None:
        policy["per_try_timeout"] = timedelta(seconds=retries.per_try_seconds)
    return Encoded(action={"retry_policy": policy})


def _judge(retries: Retries, _: Asked) -> Judgement:
    if not retries.attempts:
        return Judgement("never asked again")
    when = ", ".join((*retries.conditions, *map(str, retries.statuses)))
    return Judgement(f"asked again up to {retries.attempts} times on {when}")


RETRY = Feature(name="retry", stage=Stage.ROUTE, compile=_compile, encode=_encode, judge=_judge)
