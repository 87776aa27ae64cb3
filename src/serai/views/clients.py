"""Clients: the Envoys that are connected, and whether each has what it should."""

from __future__ import annotations

from serai.views.row import Row
from serai.views.state import ClientState, State


class ClientRow(Row, frozen=True):
    """An Envoy that is connected."""

    namespace: str
    """Of its Gateway."""
    node: str
    gateway: str
    """``namespace/name``."""
    version: str
    protocol: str
    state: str
    """``in step``, ``behind`` or ``rejected``."""
    resources: int
    waiting: int
    rejected: tuple[str, ...]
    """What it refused, with its words."""


def client_rows(state: State) -> list[ClientRow]:
    """Every client, by Gateway and node."""
    clients = sorted(state.facts.clients, key=lambda each: (each.gateway, each.node))
    return [_row(client) for client in clients]


def _row(client: ClientState) -> ClientRow:
    behind = "behind" if client.waiting else "in step"
    return ClientRow(
        namespace=client.gateway.partition("/")[0],
        node=client.node,
        gateway=client.gateway,
        version=client.version,
        protocol=client.protocol,
        state="rejected" if client.rejected else behind,
        resources=client.resources,
        waiting=client.waiting,
        rejected=tuple(f"{name}: {words}" for name, words in client.rejected),
    )
