"""Which places a cluster's endpoints are preferred at.

Istio: localityLbSetting, zoneAwareLbSetting.  kgateway: zoneAware.
"""

from __future__ import annotations

from collections.abc import Iterable

from serai.api.destination_rule import LocalityLbSetting, TrafficPolicy, ZoneAwareLbSetting
from serai.api.kgateway_backend import BackendConfigPolicySpec
from serai.backends.feature import Draft, Feature, Subject
from serai.ir.distribution import CLUSTER, REGION, ZONE, Distribution, Failover, Share, Shares
from serai.ir.origin import Value
from serai.model.settings import Settings


class Preference(Value, frozen=True):
    """How traffic is spread over places, instead of as the service says."""

    distribution: Distribution


def preferred(leaves: Iterable[Value]) -> Distribution | None:
    """What is preferred by whatever is in force."""
    return next((each.distribution for each in leaves if isinstance(each, Preference)), None)


def _of_rule(policy: TrafficPolicy, subject: Subject) -> Preference | None:
    balancer = policy.load_balancer
    zones = balancer.zone_aware_lb_setting if balancer else None
    if zones is not None and zones.enabled is not False:
        return Preference(_by_zone(zones, subject.settings))
    setting = balancer.locality_lb_setting if balancer else None
    if setting is None or setting.enabled is False:
        return None
    if setting.distribute:
        shares = (Share(each.from_, tuple(sorted(each.to.items()))) for each in setting.distribute)
        return Preference(Shares(tuple(shares)))
    fails = policy.outlier_detection is not None
    found = _failover(setting, subject.settings, fails=fails)
    return None if found == Failover() else Preference(found)


def _by_zone(setting: ZoneAwareLbSetting, settings: Settings) -> Failover:
    """Whether or not endpoints are found to fail.  Istio: zoneAwareLbSetting."""
    return Failover(
        labels=_labels(setting.failover_priority, settings),
        by_locality=True,
        regions=tuple((each.from_, each.to) for each in setting.failover),
        least=setting.min_cluster_size or 0,
    )


def _of_config(spec: BackendConfigPolicySpec, _: Subject) -> Preference | None:
    """kgateway: zoneAware.  A zone keeps its own requests as long as enough there is healthy.

    How many clients each zone has is not looked at, as Envoy's own zone aware routing does.
    """
    zones = spec.load_balancer.zone_aware if spec.load_balancer else None
    local = zones.prefer_local if zones else None
    if local is None or not local.routing_enabled:
        return None
    near = local.force.min_endpoints_in_zone_threshold if local.force else 1
    least = local.min_endpoints_threshold
    return Preference(Failover((REGION, ZONE), least=least, least_near=near))


def _labels(written: tuple[str, ...], settings: Settings) -> tuple[str, ...]:
    """Our own cluster has no name in what is compared."""
    own = f"{CLUSTER}={settings.cluster_id}"
    return tuple(f"{CLUSTER}=" if each == own else each for each in written)


def _failover(setting: LocalityLbSetting, settings: Settings, *, fails: bool) -> Failover:
    """By labels as they are listed; by places only where endpoints are found to fail.  Istio."""
    by_locality = bool(setting.failover) or not setting.failover_priority
    return Failover(
        labels=_labels(setting.failover_priority, settings),
        by_locality=fails and by_locality,
        regions=tuple((each.from_, each.to) for each in setting.failover) if fails else (),
    )


def _write(_: Preference, __: Draft) -> None:
    """It is in the load assignment, which differs by client."""


PREFERENCE = Feature(
    value=Preference,
    reads={BackendConfigPolicySpec: _of_config, TrafficPolicy: _of_rule},
    write=_write,
    whole=True,
)
