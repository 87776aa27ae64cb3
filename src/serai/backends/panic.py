"""From how few healthy endpoints on health is not looked at any more.  Envoy: panic threshold."""

from __future__ import annotations

from serai.api.destination_rule import TrafficPolicy
from serai.api.kgateway_backend import BackendConfigPolicySpec
from serai.backends.feature import Draft, Feature, Subject
from serai.ir.origin import Value


class PanicThreshold(Value, frozen=True):
    """Percent of healthy endpoints below which all are sent to; 0: never."""

    percent: int


def _of_config(spec: BackendConfigPolicySpec, _: Subject) -> PanicThreshold | None:
    balancer = spec.load_balancer
    if balancer is None or balancer.healthy_panic_threshold is None:
        return None
    return PanicThreshold(balancer.healthy_panic_threshold)


def _of_rule(policy: TrafficPolicy, _: Subject) -> PanicThreshold | None:
    """Istio: with outlier detection it is 0 unless minHealthPercent says otherwise."""
    found = policy.outlier_detection
    return None if found is None else PanicThreshold(found.min_health_percent or 0)


def _write(found: PanicThreshold, draft: Draft) -> None:
    draft.message.common_lb_config.healthy_panic_threshold.value = found.percent


PANIC = Feature(
    value=PanicThreshold,
    reads={BackendConfigPolicySpec: _of_config, TrafficPolicy: _of_rule},
    write=_write,
    whole=True,
)
