"""What a RouteAction says of retries, copies and sessions, and the filter that keeps sessions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from serai.ir.route import Forward, Mirror, Retry, Session
from serai.proto.envoy import (
    CookieSessionState,
    HeaderSessionState,
    PreviousHosts,
    StatefulSession,
    StatefulSessionPerRoute,
)
from serai.proto.pool import pack
from serai.xds.encode.split import MILLION

SESSION = "envoy.filters.http.stateful_session"
NO_ANSWER = "connect-failure,refused-stream,reset"
"""A retry is for errors of connections too, and for the timeout of an attempt."""
_TRIES_TO_FIND_ANOTHER = 5


def session_filter() -> dict[str, Any]:
    """The filter of every connection manager; without what a route says it does nothing."""
    return {"name": SESSION, "typed_config": pack(StatefulSession())}


def session_config(session: Session | None) -> dict[str, Any]:
    """The `typed_per_filter_config` of a route that keeps sessions; else nothing."""
    if session is None:
        return {}
    if session.header:
        name, state = "header", pack(HeaderSessionState(name=session.name))
    else:
        cookie: dict[str, Any] = {"name": session.name, "path": session.path}
        if session.lifetime_seconds is not None:
            cookie["ttl"] = timedelta(seconds=session.lifetime_seconds)
        name, state = "cookie", pack(CookieSessionState(cookie=cookie))
    kept = {"session_state": {"name": f"envoy.http.stateful_session.{name}", "typed_config": state}}
    return {SESSION: pack(StatefulSessionPerRoute(stateful_session=kept))}


def retry_policy(forward: Forward) -> dict[str, Any]:
    """The `retry_policy` of a route that is to be tried again, or whose attempts are limited."""
    policy: dict[str, Any] = _retry(forward.retry) if forward.retry else {}
    if forward.backend_timeout_seconds:
        policy.setdefault("num_retries", {"value": 0})
        policy["per_try_timeout"] = timedelta(seconds=forward.backend_timeout_seconds)
    return {"retry_policy": policy} if policy else {}


def _retry(retry: Retry) -> dict[str, Any]:
    codes = ",retriable-status-codes" if retry.codes else ""
    policy: dict[str, Any] = {
        "retry_on": NO_ANSWER + codes,
        "retriable_status_codes": retry.codes,
        "num_retries": {"value": 1 if retry.attempts is None else retry.attempts},
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": pack(PreviousHosts()),
            }
        ],
        "host_selection_retry_max_attempts": _TRIES_TO_FIND_ANOTHER,
    }
    if retry.backoff_seconds:
        base = timedelta(seconds=retry.backoff_seconds)
        policy["retry_back_off"] = {"base_interval": base, "max_interval": 10 * base}
    return policy


def mirrors(found: tuple[Mirror, ...]) -> dict[str, Any]:
    """The `request_mirror_policies` of a route; copies ask for the same host as the request."""
    policies = [
        {
            "cluster": each.cluster,
            "disable_shadow_host_suffix_append": True,
            "runtime_fraction": {"default_value": fraction(each.numerator, each.denominator)},
        }
        for each in found
    ]
    return {"request_mirror_policies": policies} if policies else {}


def fraction(numerator: int, denominator: int) -> dict[str, Any]:
    """A part of the whole as Envoy writes it: in hundredths where that is exact."""
    if numerator * 100 % denominator == 0:
        return {"numerator": numerator * 100 // denominator, "denominator": "HUNDRED"}
    return {"numerator": round(numerator * MILLION / denominator), "denominator": "MILLION"}
