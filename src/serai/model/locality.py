"""Localities, from labels and from Istio's region/zone/subzone notation."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from serai.ir.cluster import Locality
from serai.ir.distribution import REGION, SUBZONE, ZONE

MOST_KEPT = 4096
"""Localities that are shared by all endpoints that are there: there are few."""

ISTIO = ("topology.istio.io/locality", "istio-locality")


@lru_cache(MOST_KEPT)
def parse(text: str) -> Locality:
    """``region/zone/subzone``, of which later parts may be missing."""
    region, zone, subzone = [*text.split("/", 2), "", "", ""][:3]
    return Locality(region, zone, subzone)


@lru_cache(MOST_KEPT)
def of_zone(zone: str) -> Locality:
    """Where nothing but the zone is known, or not even that."""
    return Locality(zone=zone)


def of_node(labels: Mapping[str, str]) -> Locality:
    """The locality that a Node's labels give."""
    return Locality(labels.get(REGION, ""), labels.get(ZONE, ""), labels.get(SUBZONE, ""))


def of_labels(labels: Mapping[str, str]) -> Locality | None:
    """The locality that a workload's own labels give; dots stand for slashes there."""
    for name in ISTIO:
        if text := labels.get(name):
            return parse(text.replace(".", "/"))
    return of_node(labels) if REGION in labels or ZONE in labels else None
