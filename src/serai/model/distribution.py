"""Traffic distribution, as a Service's field and Istio's annotation have it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from serai.ir.distribution import SAME_NETWORK, SAME_NODE, SAME_ZONE, Failover
from serai.ir.origin import Value

ANNOTATION: Final = "networking.istio.io/traffic-distribution"

OF_SPEC: Final[Mapping[str, Failover]] = {
    "PreferClose": SAME_ZONE,
    "PreferSameZone": SAME_ZONE,
    "PreferSameNode": SAME_NODE,
}
"""What Service.spec.trafficDistribution may say.  Kubernetes: ServiceSpec."""

OF_ANNOTATION: Final[Mapping[str, Failover | None]] = {
    **OF_SPEC,
    "PreferNetwork": SAME_NETWORK,
    "Any": None,
}
"""What the annotation may say; in any case."""

_FOLDED = {name.lower(): value for name, value in OF_ANNOTATION.items()}


class Wish(Value, frozen=True):
    """What is asked for; `failover` is None for Any, which overrides what stands elsewhere."""

    failover: Failover | None


def wished(annotations: Mapping[str, str]) -> Wish | None:
    """What the annotation asks for; None where it is missing, or says what nobody knows."""
    text = annotations.get(ANNOTATION, "").strip().lower()
    return Wish(_FOLDED[text]) if text in _FOLDED else None


def distribution(
    spec: str, annotations: Mapping[str, str], namespace: Wish | None
) -> Failover | None:
    """The distribution of a service: the field's, the annotation's, its Namespace's, or none."""
    if spec in OF_SPEC:
        return OF_SPEC[spec]
    found = wished(annotations) or namespace
    return found.failover if found else None
