"""What is known of running Envoys, as the values that views show."""

from __future__ import annotations

from collections.abc import Iterable

from serai.envoy.event import EnvoyStatus
from serai.server.client import ClientState as Connected
from serai.views.state import ClientState, Counts, EnvoyState, Facts
from serai.xds.events import Rejection
from serai.xds.resource import ResourceKey


def facts(
    envoys: Iterable[EnvoyStatus],
    clients: Iterable[Connected],
    rejections: dict[str, dict[ResourceKey, Rejection]],
    counts: Counts,
) -> Facts:
    """Put together what the fleet and the xDS server say; `rejections` are by proxy."""
    return Facts(
        live=True,
        envoys=tuple(
            EnvoyState(each.gateway, each.state, each.pid, each.admin, each.restarts)
            for each in envoys
        ),
        clients=tuple(_client(each, rejections.get(each.proxy, {})) for each in clients),
        counts=counts,
    )


def _client(connected: Connected, rejected: dict[ResourceKey, Rejection]) -> ClientState:
    return ClientState(
        node=connected.node_id,
        gateway=connected.proxy,
        version=connected.agent,
        protocol=connected.protocol,
        resources=sum(each.acked for each in connected.types),
        waiting=sum(each.pending for each in connected.types),
        rejected=tuple((key.name, each.message) for key, each in sorted_by_name(rejected)),
    )


def sorted_by_name(
    rejected: dict[ResourceKey, Rejection],
) -> list[tuple[ResourceKey, Rejection]]:
    """Rejections in a stable order."""
    return sorted(rejected.items(), key=lambda each: (each[0].name, each[0].type.value))
