"""Clients as the xDS server knows them become what views show."""

from __future__ import annotations

from serai.api.meta import Key
from serai.app.facts import client_states
from serai.server.client import ClientState, TypeState
from serai.xds.refusals import Refusal
from serai.xds.resource import ResourceKey, ResourceType

CLUSTER, ROUTES = ResourceType.CLUSTER, ResourceType.ROUTES


def client(*types: TypeState, known: bool = True) -> ClientState:
    return ClientState(
        proxy="infra/edge",
        node_id="edge.infra",
        agent="envoy",
        protocol="delta",
        connected_at=0.0,
        known=known,
        types=types,
    )


def of(kind: ResourceType, acked: int, pending: int = 0, rejected: int = 0) -> TypeState:
    return TypeState(kind, acked, pending, rejected)


def test_counts_are_by_type_and_in_all() -> None:
    (state,) = client_states([client(of(CLUSTER, 3, 1), of(ROUTES, 2, 1), known=False)], {})

    assert state.acknowledged == ((CLUSTER, 3), (ROUTES, 2))
    assert (state.waiting, state.rejected, state.known) == (2, 0, False)


def test_who_rejects_has_the_words_of_its_gateway() -> None:
    words = Refusal(ResourceKey(ROUTES, "r"), "no such regex", ())
    refusals = {Key("Gateway", "infra", "edge"): {words.resource: words}}

    rejecting, content = client_states(
        [client(of(ROUTES, 2, 0, 1)), client(of(ROUTES, 3))], refusals
    )

    assert (rejecting.rejected, rejecting.refusals) == (1, (("r", "no such regex"),))
    assert content.refusals == ()
