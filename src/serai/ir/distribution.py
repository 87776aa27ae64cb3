"""How traffic is spread over the places where a cluster's endpoints are."""

from __future__ import annotations

from serai.ir.origin import Value

NETWORK = "topology.istio.io/network"
REGION = "topology.kubernetes.io/region"
ZONE = "topology.kubernetes.io/zone"
SUBZONE = "topology.istio.io/subzone"
HOSTNAME = "kubernetes.io/hostname"
CLUSTER = "topology.istio.io/cluster"


class Failover(Value, frozen=True):
    """The nearest first, others only as far as those cannot take the traffic.

    How near an endpoint is, is said by labels, by localities, or by labels first and then by
    localities.  Istio: trafficDistribution; DestinationRule localityLbSetting.failoverPriority and
    .failover.  The latter two are in force only with outlier detection, which whoever makes this
    value has to look at.
    """

    labels: tuple[str, ...] = ()
    """Labels in which client and endpoint should agree, the most important first; ``key=value``
    is what the endpoint should have, whoever the client is."""
    by_locality: bool = False
    """Whether region, zone and subzone of the locality count (after `labels`)."""
    regions: tuple[tuple[str, str], ...] = ()
    """From a client's region to the one that is next to it; all others are farther.  Only with
    `by_locality`."""
    least: int = 0
    """With fewer healthy endpoints in all, all are alike."""
    least_near: int = 0
    """With fewer healthy endpoints among the nearest, all are alike."""


class Share(Value, frozen=True):
    """What clients at one place send where."""

    source: str
    """Of the clients: ``region/zone/subzone``, later parts missing or ``*``; or ``*``."""
    to: tuple[tuple[str, int], ...]
    """Percent by place, likewise.  Places that are not named get nothing."""


class Shares(Value, frozen=True):
    """Fixed shares by place; the first that is for a client's place counts, none means no rule.

    Istio: DestinationRule localityLbSetting.distribute.
    """

    shares: tuple[Share, ...]


Distribution = Failover | Shares

SAME_NETWORK = Failover((NETWORK,))
SAME_ZONE = Failover((NETWORK, REGION, ZONE))
SAME_NODE = Failover((NETWORK, REGION, ZONE, SUBZONE, HOSTNAME))
