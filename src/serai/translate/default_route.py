"""The route that a captured port has while nobody wrote one."""

from __future__ import annotations

from serai.api.meta import Key
from serai.ir.match import RequestMatch
from serai.ir.origin import Origin
from serai.ir.route import DirectResponse, Forward, Route, WeightedCluster

DEFAULT = "default"
_ANYTHING = RequestMatch()


def default_route(service: Key, cluster: WeightedCluster | None) -> Route:
    """Everything to the service itself; 503 where it cannot be sent to."""
    action = Forward((cluster,)) if cluster else DirectResponse(503)
    return Route(DEFAULT, _ANYTHING, action, Origin(service))


def nothing_else(namespace: str, origin: Origin) -> Route:
    """404 for the clients of a namespace whose own routes did not match.

    A consumer's routes replace the producer's for its clients.  Gateway API: GEP-1294.
    """
    match = RequestMatch(client_namespace=namespace)
    return Route(f"unmatched/{namespace}", match, DirectResponse(404), origin)
