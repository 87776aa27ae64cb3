"""Where a client says to be, in its node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serai.ir.cluster import Locality
from serai.ir.distribution import CLUSTER, HOSTNAME, NETWORK
from serai.ir.viewpoint import Viewpoint
from serai.model import locality


def viewpoint_of(node: Any) -> Viewpoint | None:
    """The viewpoint of an envoy.config.core.v3.Node; None where it says nothing of its place.

    Besides its locality the metadata counts that Istio's proxies have: LABELS, NETWORK, NODE_NAME
    and CLUSTER_ID.
    """
    metadata = node.metadata.fields
    labels = _labels(metadata)
    written = node.locality
    place = Locality(written.region, written.zone, written.sub_zone)
    if place == Locality():
        place = locality.of_labels(labels) or place
    if cluster := _text(metadata, "CLUSTER_ID"):
        labels[CLUSTER] = cluster
    found = Viewpoint(
        place,
        _text(metadata, "NETWORK") or labels.get(NETWORK, ""),
        _text(metadata, "NODE_NAME") or labels.get(HOSTNAME, ""),
        tuple(sorted(labels.items())),
    )
    return None if found == Viewpoint() else found


def _labels(metadata: Mapping[str, Any]) -> dict[str, str]:
    # Looking up what is not there would put it there.
    if "LABELS" not in metadata:
        return {}
    fields = metadata["LABELS"].struct_value.fields
    return {name: value.string_value for name, value in fields.items() if value.string_value}


def _text(metadata: Mapping[str, Any], name: str) -> str:
    return str(metadata[name].string_value) if name in metadata else ""
