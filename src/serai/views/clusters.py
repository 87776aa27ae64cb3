"""Clusters: the other Kubernetes clusters that are followed, and whether each can be reached."""

from __future__ import annotations

from datetime import UTC, datetime

from serai.views.row import Row
from serai.views.state import State

SYNCED = "synced"


class ClusterRow(Row, frozen=True):
    """Another cluster."""

    namespace: str
    """Of the Secret."""
    name: str
    secret: str
    """Which has its kubeconfig, ``namespace/name``."""
    server: str
    """The address of its API server; empty where the kubeconfig cannot be used."""
    state: str
    """``connecting``, ``synced``, ``unreachable``, ``lost`` or ``refused``."""
    last_heard: str
    """When it was last known to answer; empty if it was never asked."""
    objects: int
    endpoints: int
    """Those in force here."""


def cluster_rows(state: State) -> list[ClusterRow]:
    """Every other cluster, by name."""
    return [
        ClusterRow(
            namespace=each.secret.partition("/")[0],
            name=each.name,
            secret=each.secret,
            server=each.server,
            state=each.state,
            last_heard=_moment(each.heard),
            objects=each.objects,
            endpoints=each.endpoints,
        )
        for each in state.facts.clusters
    ]


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else ""
