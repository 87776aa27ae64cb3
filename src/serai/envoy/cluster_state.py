"""What an Envoy says of its clusters at ``/clusters?format=json`` (admin.v3.Clusters)."""

from __future__ import annotations

from typing import Any

import msgspec

from serai.model.addresses import with_port

_PENDING = frozenset(
    {"pending_dynamic_removal", "pending_active_hc", "failed_active_degraded_check"}
)
"""Marks of endpoints that speak against none: Envoy sends to them all the same."""


class EndpointState(msgspec.Struct, frozen=True):
    """One endpoint as Envoy sees it (admin.v3.HostStatus)."""

    address: str
    """``ip:port``, or the path of a unix socket."""
    healthy: bool
    """Whether Envoy would send it requests, as far as health goes."""
    eds_health: str
    """What the control plane said, such as ``HEALTHY``."""
    failed: tuple[str, ...] = ()
    """The reasons against it, such as ``failed_active_health_check``."""


class ClusterState(msgspec.Struct, frozen=True):
    """One cluster as Envoy sees it (admin.v3.ClusterStatus)."""

    name: str
    endpoints: tuple[EndpointState, ...]
    added_via_api: bool


class _Socket(msgspec.Struct, frozen=True):
    address: str = ""
    port_value: int = 0


class _Pipe(msgspec.Struct, frozen=True):
    path: str = ""


class _Address(msgspec.Struct, frozen=True):
    socket_address: _Socket | None = None
    pipe: _Pipe = _Pipe()


class _Host(msgspec.Struct, frozen=True):
    address: _Address = _Address()
    health_status: dict[str, Any] = {}


class _Cluster(msgspec.Struct, frozen=True):
    name: str
    host_statuses: tuple[_Host, ...] = ()
    added_via_api: bool = False


class _Clusters(msgspec.Struct, frozen=True):
    cluster_statuses: tuple[msgspec.Raw, ...] = ()


_CLUSTERS = msgspec.json.Decoder(_Clusters)
_CLUSTER = msgspec.json.Decoder(_Cluster)


def read_clusters(answer: bytes) -> tuple[ClusterState, ...]:
    """Every cluster of an answer, by name.  msgspec.DecodeError where it is none.

    Of 10,000 clusters it is tens of megabytes: they are decoded one by one, so that a thread that
    does it lets others run in between.
    """
    listed = _CLUSTERS.decode(answer).cluster_statuses
    return tuple(sorted(map(_cluster, listed), key=lambda cluster: cluster.name))


def _cluster(status: msgspec.Raw) -> ClusterState:
    found = _CLUSTER.decode(status)
    return ClusterState(found.name, tuple(map(_endpoint, found.host_statuses)), found.added_via_api)


def _endpoint(host: _Host) -> EndpointState:
    eds_health = str(host.health_status.get("eds_health_status", "UNKNOWN"))
    marks = (name for name, value in host.health_status.items() if value is True)
    failed = tuple(sorted(name for name in marks if name not in _PENDING))
    return EndpointState(
        address=_shown(host.address),
        healthy=not failed and eds_health in {"HEALTHY", "UNKNOWN", "DEGRADED"},
        eds_health=eds_health,
        failed=failed,
    )


def _shown(address: _Address) -> str:
    found = address.socket_address
    if found is None:
        return address.pipe.path
    return with_port(found.address, found.port_value)
