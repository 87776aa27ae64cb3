"""Clients: the Envoys that are connected, and whether each has what it should."""

from __future__ import annotations

from serai.ir.viewpoint import Viewpoint
from serai.views.row import Row, locality_name
from serai.views.state import ClientState, State
from serai.xds.resource import ResourceType

TYPES = {
    ResourceType.CLUSTER: "CDS",
    ResourceType.ENDPOINTS: "EDS",
    ResourceType.LISTENER: "LDS",
    ResourceType.FILTER_CHAIN: "FCDS",
    ResourceType.SCOPE: "SRDS",
    ResourceType.ROUTES: "RDS",
    ResourceType.SECRET: "SDS",
    ResourceType.EXTENSION: "ECDS",
}
"""The names that people have for the discovery of each type."""

IN_STEP = "in step"


class ClientRow(Row, frozen=True):
    """An Envoy that is connected."""

    namespace: str
    """Of its Gateway."""
    node: str
    gateway: str
    """``namespace/name``."""
    agent: str
    protocol: str
    state: str
    """``in step``, ``behind``, ``rejects N`` or ``unknown gateway``."""
    acknowledged: dict[str, int]
    """How many resources it has, by the names that people have for the types."""
    waiting: int
    rejected: int
    refusals: tuple[str, ...]
    """What it refuses, with its words."""
    locality: str = ""
    """Where it runs, ``region/zone/subzone``, as far as it is known."""
    network: str = ""
    runs_on: str = ""
    """The name of the machine, likewise."""


def client_rows(state: State) -> list[ClientRow]:
    """Every client, by Gateway and node."""
    clients = sorted(state.facts.clients, key=lambda each: (each.gateway, each.node))
    return [
        _row(client, client.viewpoint or state.pipeline.settings.viewpoint) for client in clients
    ]


def _state(client: ClientState) -> str:
    if not client.known:
        return "unknown gateway"
    if client.rejected:
        return f"rejects {client.rejected}"
    return "behind" if client.waiting else IN_STEP


def _row(client: ClientState, viewpoint: Viewpoint | None) -> ClientRow:
    place = viewpoint or Viewpoint()
    held = dict(client.acknowledged)
    return ClientRow(
        namespace=client.gateway.partition("/")[0],
        node=client.node,
        gateway=client.gateway,
        agent=client.agent,
        protocol=client.protocol,
        state=_state(client),
        acknowledged={short: held.get(kind, 0) for kind, short in TYPES.items()},
        waiting=client.waiting,
        rejected=client.rejected,
        refusals=tuple(f"{name}: {words}" for name, words in client.refusals),
        locality=locality_name(place.locality),
        network=place.network,
        runs_on=place.node,
    )
