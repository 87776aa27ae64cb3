"""From a route's clusters to the shares of its requests, and who answers each."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from serai.attach.hostnames import covers
from serai.ir.cluster import Cluster, Discovery, Endpoint
from serai.ir.listener import Connects, Listener, TcpForward, Tunnel
from serai.ir.route import Forward, LookUp, Route, WeightedCluster
from serai.model.addresses import is_ip, with_port
from serai.model.reserved import is_refused
from serai.trace.headers import mutated
from serai.trace.hello import server_name
from serai.trace.match import Facts
from serai.trace.outcome import Answered, Closed, Forwarded, Headers, Redirected, Share, Step
from serai.trace.policies import judged, judged_bytes
from serai.trace.request import Destination, TraceRequest, Way
from serai.trace.rewrite import location, rewritten
from serai.trace.view import ProxyView
from serai.translate.localities import in_use, localities
from serai.xds.encode.dynamic import looked_up

_ASKED_FOR = frozenset({Tunnel.CONNECT, Tunnel.POST})
_SHOWN_ENDPOINTS = 5
_REASONS = {503: "no_endpoints", 403: "reserved_address"}


def forwarded(
    view: ProxyView, route: Route, forward: Forward, facts: Facts, steps: list[Step]
) -> Forwarded | Answered | Redirected:
    """Where a route sends a request.  Adds to `steps`."""
    shares = tuple(
        _permitted(each, _http_share(view, each, forward, route, facts, total), facts, steps)
        for total in (_total(forward.clusters),)
        for each in forward.clusters
    )
    steps += [_step(share) for share in shares]
    steps += _beside(view, forward)
    statuses = {(share.status, share.location) for share in shares}
    status, where = statuses.pop() if len(statuses) == 1 else (None, "")
    if status is None:
        return Forwarded("http", shares, route.name)
    if where:
        return Redirected(status, where, shares[0].response, route.name)
    reason = _REASONS.get(status, "invalid_backend")
    why = _step(shares[-1]).why
    return Answered(status, reason, why, shares[0].response, route.name)


def _beside(view: ProxyView, forward: Forward) -> Iterator[Step]:
    """What happens beside the request: copies, further attempts, and what keeps a session."""
    for mirror in forward.mirrors:
        cluster = view.cluster(mirror.cluster)
        origin = cluster.origin if cluster else None
        part = 100 * mirror.numerator / mirror.denominator
        yield Step("copy", f"{part:.4g}% {mirror.cluster}", "its answer is thrown away", origin)
    retry = forward.retry
    if retry is not None:
        times = 1 if retry.attempts is None else retry.attempts
        codes = f", or one of {', '.join(map(str, retry.codes))}" if retry.codes else ""
        yield Step("retry", f"up to {times} more", f"where there is no answer{codes}")
    of_services = (each.session for each in forward.clusters)
    kept = (forward.session,) if forward.session else tuple(dict.fromkeys(of_services))
    for session in kept:
        if session is not None:
            what = "header" if session.header else "cookie"
            yield Step("session", f"{what} {session.name}", "its endpoint, if it is there")


def _permitted(weighted: WeightedCluster, share: Share, facts: Facts, steps: list[Step]) -> Share:
    """A share as the policies on it leave it, where shares have policies of their own."""
    refused = judged(weighted.leaves, facts, "", steps)
    return msgspec.structs.replace(share, status=refused.status) if refused else share


def sent_bytes(
    view: ProxyView,
    forward: TcpForward,
    request: TraceRequest,
    steps: list[Step],
    *,
    identified: bool,
) -> Forwarded | Closed:
    """Where the bytes of a connection go; `identified` if it may carry an identity.

    Adds to `steps`.
    """
    if forward.tunnel in _ASKED_FOR:
        steps.append(Step("tunnel", forward.authority, f"{forward.tunnel} to what follows"))
    clusters = _inwards(view, forward, request, steps, identified=identified)
    if isinstance(clusters, Closed):
        return clusters
    name = server_name(request)
    shares = tuple(
        _unread(_share(view, each, _total(clusters), request.way, name), request)
        for each in clusters
    )
    steps += [_step(share) for share in shares]
    if all(share.status is not None for share in shares):
        return Closed("no_endpoints", steps[-1].why if shares else "no host of it is named")
    return Forwarded("tcp", shares)


_UNAVAILABLE = 503
_FORBIDDEN = 403
_LOOPBACK = "127.0.0.1"


def _total(clusters: tuple[WeightedCluster, ...]) -> int:
    return sum(each.weight for each in clusters)


def _share(
    view: ProxyView, weighted: WeightedCluster, total: int, way: Way, authority: str = ""
) -> Share:
    share = weighted.weight / total
    cluster = view.cluster(weighted.cluster) if weighted.cluster else None
    if cluster is None:
        return Share(share, weighted.cluster, status=weighted.status)
    if weighted.look_up is not None:
        allowed = view.attached.settings.allow_resolved
        return _found(
            Share(share, cluster.name, cluster.origin), weighted.look_up, authority, allowed
        )
    endpoints = _endpoints(view, cluster, way)
    status = None if endpoints else _UNAVAILABLE
    return Share(share, cluster.name, cluster.origin, endpoints, status)


def _found(share: Share, look_up: LookUp, authority: str, allowed: tuple[str, ...]) -> Share:
    """Where a name leads, as far as it is known without asking anybody."""
    name = looked_up(look_up, authority)
    if not name:
        return msgspec.structs.replace(share, status=_UNAVAILABLE)
    known = name if is_ip(name) else _LOOPBACK if _is_local(name) else ""
    if known and is_refused(known, allowed):
        return msgspec.structs.replace(share, status=_FORBIDDEN)
    return msgspec.structs.replace(share, endpoints=(Endpoint(name, look_up.port),))


def _is_local(name: str) -> bool:
    """RFC 6761: names under localhost are on loopback."""
    return name == "localhost" or name.endswith(".localhost")


def _endpoints(view: ProxyView, cluster: Cluster, way: Way) -> tuple[Endpoint, ...]:
    match cluster.discovery:
        case Discovery.EDS:
            found = view.endpoints(cluster.name)
            return _preferred(view, cluster, found.endpoints if found else ())
        case Discovery.INTERNAL:
            return _tunnel_ends(view, cluster, way)
        case Discovery.ORIGINAL_DST:
            return _addressed(way, cluster.port)
        case _:
            return _preferred(view, cluster, cluster.dns_endpoints)


def _preferred(
    view: ProxyView, cluster: Cluster, endpoints: tuple[Endpoint, ...]
) -> tuple[Endpoint, ...]:
    """Those that get requests, as a proxy sees them from where it is said to run."""
    viewpoint = view.gateway.viewpoint if view.gateway else None
    return in_use(localities(endpoints, cluster.distribution, viewpoint))


def _addressed(way: Way, port: int = 0) -> tuple[Endpoint, ...]:
    """Where a connection was going, at that port if one is given."""
    return (Endpoint(way.address, port or way.port),) if isinstance(way, Destination) else ()


def _tunnel_ends(view: ProxyView, cluster: Cluster, way: Way) -> tuple[Endpoint, ...]:
    """What is sent to inside a tunnel: a waypoint, which is not followed further, or a workload."""
    inside = view.internal_listener(cluster.internal_listener)
    if inside is not None and inside.originates:
        return _addressed(way)
    if inside is None or not isinstance(inside.default, TcpForward):
        return ()
    found = (view.cluster(each.cluster) for each in inside.default.clusters if each.cluster)
    return tuple(end for each in found if each for end in each.dns_endpoints)


def _inside(view: ProxyView, forward: TcpForward) -> Listener | None:
    """The listener inside the proxy that a connection is handed to, if it is."""
    name = forward.clusters[0].cluster if forward.clusters else None
    cluster = view.cluster(name) if name else None
    if cluster is None or cluster.discovery is not Discovery.INTERNAL:
        return None
    return view.internal_listener(cluster.internal_listener)


def _inwards(
    view: ProxyView,
    forward: TcpForward,
    request: TraceRequest,
    steps: list[Step],
    *,
    identified: bool,
) -> tuple[WeightedCluster, ...] | Closed:
    """Through the listeners inside the proxy to the clusters that lead out of it.

    Closed where a policy on the host that a ClientHello names says so.
    """
    while (inside := _inside(view, forward)) is not None and not inside.originates:
        match inside.default:
            case Connects(cluster):
                return (cluster,)
            case TcpForward() as only if not inside.server_names:
                forward = only
            case _:
                forward = _by_server_name(inside, request, steps)
                name = server_name(request)
                closed = judged_bytes(
                    forward.leaves, request, steps, identified=identified, server_name=name
                )
                if closed is not None:
                    return closed
    return forward.clusters


def _by_server_name(inside: Listener, request: TraceRequest, steps: list[Step]) -> TcpForward:
    """What a ClientHello's server name chooses: the exact name, the longest wildcard, else all."""
    name = server_name(request)
    wanted = {each.host: each.forward for each in inside.server_names}
    wild = sorted((each for each in wanted if covers(each, name) and each != name), key=len)
    chosen = next((each for each in (name, *reversed(wild)) if name and each in wanted), "")
    why = f"server name {name}" if name else "the client sends no TLS server name"
    steps.append(Step("server name", chosen or "any other", why, inside.origin))
    rest = inside.default if isinstance(inside.default, TcpForward) else TcpForward(())
    return wanted.get(chosen, rest)


def _unread(found: Share, request: TraceRequest) -> Share:
    """A share of bytes; a request in plain HTTP among them arrives as it was sent."""
    if request.scheme != "http":
        return found
    return msgspec.structs.replace(
        found,
        method=request.method,
        authority=request.authority,
        path=request.path,
        headers=request.headers,
    )


def _http_share(
    view: ProxyView,
    weighted: WeightedCluster,
    forward: Forward,
    route: Route,
    facts: Facts,
    total: int,
) -> Share:
    response = route.response_headers.then(weighted.response_headers)
    if weighted.redirect is not None:
        where, status = location(weighted.redirect, route, facts), weighted.redirect.status
        return Share(
            weighted.weight / total, None, None, (), status, response=response, location=where
        )
    host = weighted.rewrite_host or forward.rewrite_host
    asked = msgspec.structs.replace(
        forward, rewrite_host=host, rewrite_path=weighted.rewrite_path or forward.rewrite_path
    )
    authority = host or facts.authority
    found = _share(view, weighted, total, facts.way, authority)
    path = rewritten(facts.path, asked.rewrite_path, route)
    changes = route.request_headers.then(weighted.request_headers)
    headers = mutated(facts.headers, changes)
    return msgspec.structs.replace(
        found,
        method=facts.method,
        authority=authority,
        path=path,
        headers=(*headers, *_originals(facts, asked, path)),
        secret=changes.secret,
        response=response,
    )


def _originals(facts: Facts, forward: Forward, path: str) -> Headers:
    """What Envoy tells endpoints of a request that it rewrote."""
    found: Headers = ()
    if forward.rewrite_host:
        found = (*found, ("x-envoy-original-host", facts.authority))
    if forward.rewrite_path and path != facts.path:
        found = (*found, ("x-envoy-original-path", facts.path))
    return found


def _step(share: Share) -> Step:
    name = share.cluster or "no backend"
    if share.location:
        name, why = "told to ask elsewhere", f"{share.status}, location: {share.location}"
    elif share.origin is None:
        why = f"there is no such backend; answered {share.status}"
    elif share.status == _FORBIDDEN:
        why = f"its host is no public address, nor one of --allow-resolved; answered {share.status}"
    elif share.status is not None:
        why = f"it has no endpoints; answered {share.status}"
    else:
        why = ", ".join(_endpoint(each) for each in share.endpoints[:_SHOWN_ENDPOINTS])
        rest = len(share.endpoints) - _SHOWN_ENDPOINTS
        why += f" and {rest} more" if rest > 0 else ""
    return Step("cluster", f"{share.share * 100:.4g}% {name}", why, share.origin)


def _endpoint(endpoint: Endpoint) -> str:
    weight = f" weight {endpoint.weight}" if endpoint.weight != 1 else ""
    place = "/".join(
        part
        for part in (endpoint.locality.region, endpoint.locality.zone, endpoint.locality.subzone)
        if part
    )
    return f"{with_port(endpoint.address, endpoint.port)}{weight}{f' in {place}' if place else ''}"
