"""Backends, as Envoy knows them: one cluster for each port of each host of a service."""

from __future__ import annotations

from collections import defaultdict

from serai.model.service import Backend, BackendKey
from serai.translate.clusters import DISCOVERY
from serai.views.health import Endpoints, clusters_of, count
from serai.views.members import Members
from serai.views.row import Row, object_name
from serai.views.state import State


class BackendRow(Row, frozen=True):
    """One port of one host of a service, as something to send to."""

    cluster: str
    """The name of its Envoy cluster; empty where it cannot be sent to."""
    namespace: str
    service: str
    """``Kind/namespace/name``."""
    host: str
    port: int
    protocol: str
    discovery: str
    endpoints: Endpoints
    used_by: tuple[str, ...]
    """The Gateways that send to it, as ``namespace/name``."""


def backend_rows(state: State) -> list[BackendRow]:
    """Every backend, by service, host and port."""
    members = Members(state.pipeline)
    users: dict[str, list[str]] = defaultdict(list)
    for key in sorted(state.pipeline.translated.demand.keys()):
        users[key.cluster].append(key.proxy.namespaced_name)
    listed = sorted(state.pipeline.attached.catalog.backends.items(), key=lambda each: order(*each))
    return [backend_row(state, members, backend, users) for _, backend in listed]


def backend_row(
    state: State, members: Members, backend: Backend, users: dict[str, list[str]]
) -> BackendRow:
    """One backend as a row; `users` are the Gateways that send to each cluster."""
    cluster = state.pipeline.attached.cluster_names.row(backend.key) or ""
    discovery = DISCOVERY.get(backend.resolution)
    return BackendRow(
        cluster=cluster,
        namespace=backend.key.service.namespace,
        service=object_name(backend.key.service),
        host=backend.key.host,
        port=backend.key.port,
        protocol=str(backend.port.protocol),
        discovery=str(discovery) if discovery else str(backend.resolution),
        endpoints=count(state, backend, members.of(backend)),
        used_by=tuple(
            dict.fromkeys(
                user for name in clusters_of(state, backend.key) for user in users.get(name, ())
            )
        ),
    )


def order(key: BackendKey, _: Backend) -> tuple[str, str, str, str, int]:
    """Sorts backends by namespace, name, kind, host, port."""
    service = key.service
    return (service.namespace, service.name, service.kind, key.host, key.port)
