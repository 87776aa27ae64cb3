"""What the edges know of running Envoys, as the plain values that views are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from serai.api.meta import Key
from serai.attach.gateways import proxy_key
from serai.envoy.event import EnvoyStatus
from serai.server import client as server
from serai.views.state import ClientState, EnvoyState
from serai.xds.refusals import Refusal
from serai.xds.resource import ResourceKey


def client_states(
    clients: Iterable[server.ClientState], refusals: Mapping[Key, Mapping[ResourceKey, Refusal]]
) -> tuple[ClientState, ...]:
    """The connected clients; `refusals` is what is refused now, by Gateway."""
    return tuple(_state(client, refusals) for client in clients)


def envoy_states(envoys: Iterable[EnvoyStatus]) -> tuple[EnvoyState, ...]:
    """The Envoys of our own."""
    return tuple(
        EnvoyState(
            gateway=each.gateway,
            state=each.state,
            pid=each.pid,
            admin=each.admin,
            restarts=each.restarts,
            access_log=each.access_log,
        )
        for each in envoys
    )


def _state(
    client: server.ClientState, refusals: Mapping[Key, Mapping[ResourceKey, Refusal]]
) -> ClientState:
    refused = refusals.get(proxy_key(client.proxy), {})
    rejected = sum(each.rejected for each in client.types)
    return ClientState(
        node=client.node_id,
        gateway=client.proxy,
        agent=client.agent,
        protocol=client.protocol,
        known=client.known,
        viewpoint=client.viewpoint,
        acknowledged=tuple((each.type, each.acked) for each in client.types),
        waiting=sum(each.pending for each in client.types),
        rejected=rejected,
        refusals=(
            tuple((key.name, each.message) for key, each in sorted(refused.items(), key=_by_name))
            if rejected
            else ()
        ),
    )


def _by_name(item: tuple[ResourceKey, Refusal]) -> tuple[str, str]:
    key, _ = item
    return (key.type.value, key.name)
