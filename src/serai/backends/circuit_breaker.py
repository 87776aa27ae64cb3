"""Limits on what is sent to a cluster at a time, and on retries.  Envoy: circuit breakers.

There are none but those that somebody asked for: Envoy's own would refuse under load.
"""

from __future__ import annotations

from typing import Any

from serai.api.backend_policy import XBackendTrafficPolicySpec
from serai.api.bounds import UINT32
from serai.api.destination_rule import TrafficPolicy
from serai.api.kgateway_backend import BackendConfigPolicySpec
from serai.backends.feature import Draft, Feature, Subject
from serai.ir.origin import Value

_BUDGET_PERCENT = 20.0
"""Of DestinationRule's retryBudget that has none."""


class CircuitBreaker(Value, frozen=True):
    """How much at a time; None: no limit."""

    max_connections: int | None = None
    max_pending_requests: int | None = None
    max_requests: int | None = None
    max_retries: int | None = None
    track_remaining: bool | None = None
    retry_percent: float | None = None
    """Retries at a time, of all requests at that time; it takes the place of `max_retries`."""
    min_retries: int | None = None
    """That many at a time are allowed in any case."""


def _of_config(spec: BackendConfigPolicySpec, _: Subject) -> CircuitBreaker | None:
    found = spec.circuit_breakers
    if found is None:
        return None
    return CircuitBreaker(
        max_connections=found.max_connections,
        max_pending_requests=found.max_pending_requests,
        max_requests=found.max_requests,
        max_retries=found.max_retries,
        track_remaining=found.track_remaining,
    )


def _of_rule(policy: TrafficPolicy, _: Subject) -> CircuitBreaker | None:
    """Istio: a limit of 0 is none."""
    pool, budget = policy.connection_pool, policy.retry_budget
    tcp, http = (pool.tcp, pool.http) if pool else (None, None)
    found = CircuitBreaker(
        max_connections=(tcp.max_connections or None) if tcp else None,
        max_pending_requests=(http.http1_max_pending_requests or None) if http else None,
        max_requests=(http.http2_max_requests or None) if http else None,
        max_retries=(http.max_retries or None) if http else None,
        retry_percent=(_BUDGET_PERCENT if budget.percent is None else budget.percent)
        if budget
        else None,
        min_retries=budget.min_retry_concurrency if budget else None,
    )
    return None if found == CircuitBreaker() else found


def _of_traffic(spec: XBackendTrafficPolicySpec, _: Subject) -> CircuitBreaker | None:
    """Envoy counts what is under way, not what was sent in an interval."""
    found = spec.retry_constraint
    if found is None:
        return None
    return CircuitBreaker(
        retry_percent=float(found.budget.percent), min_retries=found.min_retry_rate.count
    )


def write(found: CircuitBreaker, draft: Draft) -> None:
    """Limits for requests of either priority; called for every cluster."""
    limits: dict[str, Any] = {
        "max_connections": _limit(found.max_connections),
        "max_pending_requests": _limit(found.max_pending_requests),
        "max_requests": _limit(found.max_requests),
        "max_retries": _limit(found.max_retries),
    }
    if found.track_remaining:
        limits["track_remaining"] = True
    if found.retry_percent is not None:
        limits["retry_budget"] = {
            "budget_percent": {"value": found.retry_percent},
            **(
                {"min_retry_concurrency": {"value": found.min_retries}}
                if found.min_retries is not None
                else {}
            ),
        }
    for level in ("DEFAULT", "HIGH"):
        draft.message.circuit_breakers.thresholds.add(priority=level, **limits)


def _limit(number: int | None) -> dict[str, int]:
    return {"value": UINT32 if number is None else number}


CIRCUIT_BREAKER = Feature(
    value=CircuitBreaker,
    reads={
        BackendConfigPolicySpec: _of_config,
        XBackendTrafficPolicySpec: _of_traffic,
        TrafficPolicy: _of_rule,
    },
    write=write,
)
