"""A route whose shares differ in more than Envoy's weighted clusters can -> one route for each.

Envoy compares one random number of a request with the fraction of each route in turn, so the
fractions are cumulative: of a hundred, the first 30, then those below 50, then all.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from serai.ir.route import DirectResponse, Forward, Route, WeightedCluster
from serai.xds.encode.policies import look_further_out

MILLION = 1_000_000


def shares_as_routes(route: Route) -> Iterator[tuple[Route, int | None]]:
    """Each route to write, in order, and up to which number of a million it takes requests.

    None: all that are left.
    """
    forward = route.action
    if not isinstance(forward, Forward) or not _is_split(forward, route):
        yield route, None
        return
    total = sum(each.weight for each in forward.clusters)
    reached = 0
    for cluster in forward.clusters:
        reached += cluster.weight
        last = reached == total
        yield _of_share(route, forward, cluster), None if last else reached * MILLION // total


def _is_split(forward: Forward, route: Route) -> bool:
    """Whether a share asks for what only a route can do: its filters may look for it there."""
    shares = forward.clusters
    if any(each.needs_a_route for each in shares):
        return True
    said = [each.leaves for each in shares if each.leaves]
    return bool(said) and any(map(look_further_out, (route.leaves, *said)))


def _of_share(route: Route, forward: Forward, cluster: WeightedCluster) -> Route:
    whole = replace(
        route,
        request_headers=route.request_headers.then(cluster.request_headers),
        response_headers=route.response_headers.then(cluster.response_headers),
        leaves=cluster.leaves or route.leaves,
    )
    if cluster.redirect is not None:
        return replace(whole, action=cluster.redirect)
    if cluster.cluster is None:
        return replace(whole, action=DirectResponse(cluster.status))
    plain = WeightedCluster(
        cluster.cluster,
        look_up=cluster.look_up,
        destination=cluster.destination,
        session=cluster.session,
    )
    action = replace(
        forward,
        clusters=(plain,),
        rewrite_host=cluster.rewrite_host or forward.rewrite_host,
        rewrite_path=cluster.rewrite_path or forward.rewrite_path,
        mirrors=(*forward.mirrors, *cluster.mirrors),
    )
    return replace(whole, action=action)
