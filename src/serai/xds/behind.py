"""What Envoy 1.40 must be told once more behind something else, since it does not ask again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from serai.xds.ledger import Ledger
from serai.xds.references import SCOPES
from serai.xds.resource import ResourceType
from serai.xds.world import Entry


def repeat_endpoints(
    ledgers: Mapping[ResourceType, Ledger], clusters: Iterable[Entry | None]
) -> None:
    """Endpoints come behind each cluster sent, or Envoy waits 15 s for them."""
    endpoints = ledgers.get(ResourceType.ENDPOINTS)
    if endpoints is None:
        return
    for cluster in clusters:
        for key in cluster.references if cluster is not None else ():
            if key.type is ResourceType.ENDPOINTS and endpoints.subscribed(key.name):
                endpoints.force(key.name)


def repeat_scopes(ledgers: Mapping[ResourceType, Ledger], sent: Iterable[Entry | None]) -> None:
    """All scopes come behind the first listener that looks them up, or Envoy waits for ever.

    It asks for them with the first such listener of a stream.  When that was refused or has gone,
    nobody in Envoy takes what comes; and the next one takes only what comes after it.
    """
    scopes = ledgers.get(ResourceType.SCOPE)
    if scopes is None or not any(each and SCOPES in each.references for each in sent):
        return
    scopes.greeting = True
    for name in scopes.held:
        scopes.force(name)
