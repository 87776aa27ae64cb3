"""Outlier detection: endpoints that fail are left alone for a while.  Envoy: outlier detection.

Only what was asked for ejects: Envoy's own detection by success rate, which nobody can see in a
policy, is off.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from serai.api.bounds import seconds
from serai.api.destination_rule import TrafficPolicy
from serai.api.kgateway_backend import BackendConfigPolicySpec
from serai.backends.feature import Draft, Feature, Subject
from serai.ir.origin import Value
from serai.proto.envoy import HttpProtocolOptions
from serai.proto.envoy import OutlierDetection as EnvoyOutlierDetection

_ALWAYS = 100


class OutlierDetection(Value, frozen=True):
    """After how many failures in a row, and for how long; 0 failures: not by this.

    What is None is left to what else was asked for, and then to Envoy.
    """

    consecutive_5xx: int | None = None
    consecutive_gateway_failures: int | None = None
    """Only 502, 503 and 504."""
    split_local_failures: bool | None = None
    """Whether connections that fail are counted apart from answers."""
    consecutive_local_failures: int | None = None
    interval: float | None = None
    """Seconds, as is `base_ejection_time`."""
    base_ejection_time: float | None = None
    """The first time; it grows with each further one."""
    max_ejection_percent: int | None = None
    error_codes: tuple[int, ...] | None = None
    """Statuses that are failures, in place of those from 500 on."""


def _of_config(spec: BackendConfigPolicySpec, _: Subject) -> OutlierDetection | None:
    found = spec.outlier_detection
    if found is None:
        return None
    return OutlierDetection(
        consecutive_5xx=found.consecutive_5xx,
        interval=seconds(found.interval),
        base_ejection_time=seconds(found.base_ejection_time),
        max_ejection_percent=found.max_ejection_percent,
    )


def _of_rule(policy: TrafficPolicy, _: Subject) -> OutlierDetection | None:
    found = policy.outlier_detection
    if found is None:
        return None
    five = found.consecutive_5xx_errors
    return OutlierDetection(
        consecutive_5xx=found.consecutive_errors if five is None else five,
        consecutive_gateway_failures=found.consecutive_gateway_errors,
        split_local_failures=found.split_external_local_origin_errors or None,
        consecutive_local_failures=found.consecutive_local_origin_failures,
        interval=seconds(found.interval),
        base_ejection_time=seconds(found.base_ejection_time),
        max_ejection_percent=found.max_ejection_percent or None,
        error_codes=found.outlier_detection_http_error_codes or None,
    )


def _write(found: OutlierDetection, draft: Draft) -> None:
    written: dict[str, Any] = {
        "enforcing_success_rate": {"value": 0},
        "enforcing_local_origin_success_rate": {"value": 0},
        **_counted("consecutive_5xx", found.consecutive_5xx),
        **_counted("consecutive_gateway_failure", found.consecutive_gateway_failures),
        **_counted("consecutive_local_origin_failure", found.consecutive_local_failures),
    }
    if found.split_local_failures:
        written["split_external_local_origin_errors"] = True
    if found.interval is not None:
        written["interval"] = timedelta(seconds=found.interval)
    if found.base_ejection_time is not None:
        written["base_ejection_time"] = timedelta(seconds=found.base_ejection_time)
    if found.max_ejection_percent is not None:
        written["max_ejection_percent"] = {"value": found.max_ejection_percent}
    if found.error_codes:
        matcher = {"error_matcher": _any_of(found.error_codes)}
        draft.http.MergeFrom(HttpProtocolOptions(outlier_detection=matcher))
    draft.message.outlier_detection.MergeFrom(EnvoyOutlierDetection(**written))


def _any_of(codes: tuple[int, ...]) -> dict[str, Any]:
    matches: list[dict[str, Any]] = [
        {
            "http_response_headers_match": {
                "headers": [{"name": ":status", "string_match": {"exact": str(code)}}]
            }
        }
        for code in codes
    ]
    return matches[0] if len(matches) == 1 else {"or_match": {"rules": matches}}


def _counted(name: str, failures: int | None) -> dict[str, Any]:
    if failures is None:
        return {}
    counted = {name: {"value": failures}} if failures else {}
    return {**counted, f"enforcing_{name}": {"value": _ALWAYS if failures else 0}}


OUTLIER_DETECTION = Feature(
    value=OutlierDetection,
    reads={BackendConfigPolicySpec: _of_config, TrafficPolicy: _of_rule},
    write=_write,
)
