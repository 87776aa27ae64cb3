"""Which places a cluster's endpoints are preferred at.  Istio: localityLbSetting."""

from __future__ import annotations

from collections.abc import Iterable

from serai.api.destination_rule import LocalityLbSetting, TrafficPolicy
from serai.backends.feature import Draft, Feature, Subject
from serai.ir.distribution import Distribution, Failover, Share, Shares
from serai.ir.origin import Value


class Preference(Value, frozen=True):
    """How traffic is spread over places, instead of as the service says."""

    distribution: Distribution


def preferred(leaves: Iterable[Value]) -> Distribution | None:
    """What is preferred by whatever is in force."""
    return next((each.distribution for each in leaves if isinstance(each, Preference)), None)


def _of_rule(policy: TrafficPolicy, _: Subject) -> Preference | None:
    setting = policy.load_balancer.locality_lb_setting if policy.load_balancer else None
    if setting is None or setting.enabled is False:
        return None
    if setting.distribute:
        shares = (Share(each.from_, tuple(sorted(each.to.items()))) for each in setting.distribute)
        return Preference(Shares(tuple(shares)))
    found = _failover(setting, fails=policy.outlier_detection is not None)
    return None if found == Failover() else Preference(found)


def _failover(setting: LocalityLbSetting, *, fails: bool) -> Failover:
    """By labels as they are listed; by places only where endpoints are found to fail.  Istio."""
    by_locality = bool(setting.failover) or not setting.failover_priority
    return Failover(
        labels=setting.failover_priority,
        by_locality=fails and by_locality,
        regions=tuple((each.from_, each.to) for each in setting.failover) if fails else (),
    )


def _write(_: Preference, __: Draft) -> None:
    """It is in the load assignment, which differs by client."""


PREFERENCE = Feature(value=Preference, reads={TrafficPolicy: _of_rule}, write=_write, whole=True)
