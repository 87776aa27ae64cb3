"""A request, step by step, from its way in to where it ends.

What is not followed: headers that Envoy adds to every request (x-request-id, x-forwarded-for),
those that belong to one connection (connection, te), timeouts, and what happens at the endpoint.
"""

from __future__ import annotations

from msgspec.structs import replace

from serai.ir.leaf import FailClosed, Leaf
from serai.ir.listener import TcpForward
from serai.ir.match import CONNECT
from serai.ir.route import DirectResponse, Forward, Redirect, Route, VirtualHost
from serai.model.addresses import with_port
from serai.trace.arrival import arrival
from serai.trace.connection import (
    Connected,
    connected,
    entrance,
    inspected,
    listener_of,
    route_configuration,
)
from serai.trace.grpc import as_call
from serai.trace.headers import lowered
from serai.trace.match import Facts
from serai.trace.outcome import Answered, Closed, Outcome, Redirected, Step, Trace
from serai.trace.path import Path, normalised
from serai.trace.policies import BY_POLICY, changed, guarded, judged, judged_bytes, shared, verified
from serai.trace.request import GatewayPort, TraceRequest
from serai.trace.rewrite import location
from serai.trace.routing import route, virtual_host
from serai.trace.sending import forwarded, sent_bytes
from serai.trace.settings import answered, early, makes_tunnels
from serai.trace.view import ProxyView, View
from serai.translate.claims import acts_before
from serai.translate.names import DESTINATION_HEADER

_METHODS = frozenset(
    {
        *("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"),
        *("ACL", "BIND", "CHECKOUT", "COPY", "LINK", "LOCK", "M-SEARCH", "MERGE", "MKACTIVITY"),
        *("MKCALENDAR", "MKCOL", "MOVE", "NOTIFY", "PROPFIND", "PROPPATCH", "PURGE", "REBIND"),
        *("REPORT", "SEARCH", "SOURCE", "SUBSCRIBE", "UNBIND", "UNLINK", "UNLOCK", "UNSUBSCRIBE"),
    }
)
"""What Envoy's parser of HTTP/1 takes for a method."""
_SCHEME_HEADER = "x-forwarded-proto"


def trace(view: View, request: TraceRequest) -> Trace:
    """Follow one request through the configuration of the proxy that it goes to."""
    steps: list[Step] = []
    outcome = _outcome(view.proxy(request.way.proxy), request, steps)
    return Trace(request, tuple(steps), outcome)


def _outcome(view: ProxyView, request: TraceRequest, steps: list[Step]) -> Outcome:
    steps.append(arrival(view, request))
    listener = listener_of(view, request)
    if listener is None:
        return Closed("no_listener", f"{view.name} does not listen there")
    heard = entrance(view, request) or listener
    where = ", ".join(with_port(each, heard.port) for each in heard.addresses)
    where = where if heard is listener else f"through {heard.name} at {where}"
    steps.append(Step("listener", listener.name, where, listener.origin))
    connection = connected(view, request, listener, steps)
    if isinstance(connection, Closed):
        return connection
    connection = inspected(view, request, connection, steps)
    if connection.ended and isinstance(connection.handling, TcpForward):
        # What was inside TLS is what is sent on.
        request = replace(request, scheme="http")
    if isinstance(connection.handling, TcpForward):
        leaves = connection.handling.leaves
        closed = judged_bytes(leaves, request, steps, identified=connection.identified)
        if closed is not None:
            return closed
        known = connection.identified
        return sent_bytes(view, connection.handling, request, steps, identified=known)
    return _http(view, request, connection, steps)


def _http(
    view: ProxyView,
    request: TraceRequest,
    connection: Connected,
    steps: list[Step],
) -> Outcome:
    if request.scheme != "http" and not connection.ended:
        words = f"plain HTTP is expected here, and the client speaks {request.scheme}"
        return Closed("not_http", words)
    path = normalised(request.path)
    edge = isinstance(request.way, GatewayPort)
    refused = _refusal(request, path, edge=edge)
    if refused or path is None:
        return Answered(400, "bad_request", refused)
    if path.redirected:
        return Redirected(307, path.text)
    if path.text != request.path:
        steps.append(Step("path", path.text, f"{request.path} normalised"))
    facts = early(connection.settings, _facts(view, request, connection, path, edge=edge), steps)
    outcome = _routed(view, request, connection, facts, steps)
    return as_call(outcome) if facts.is_grpc else outcome


def _routed(
    view: ProxyView,
    request: TraceRequest,
    connection: Connected,
    facts: Facts,
    steps: list[Step],
) -> Outcome:
    chosen = _chosen(view, request, connection, facts, steps)
    healthy = answered(connection.settings, facts.path)
    if isinstance(chosen, Answered):
        return chosen if healthy is None or chosen.reason == BY_POLICY else healthy
    found, facts, asked = chosen
    if facts.method == CONNECT and not makes_tunnels(connection.settings):
        return Answered(403, "upgrade_failed", "no upgradeConfig of the listener has CONNECT")
    if healthy is not None:
        return guarded(found, asked, facts, steps) or healthy
    forward = found.action
    if isinstance(forward, Forward) and any(each.leaves for each in forward.clusters):
        return _act(view, shared(found, forward, facts, steps), facts, steps)
    refused_by = judged(asked, facts, found.name, steps)
    if refused_by is not None:
        return refused_by
    found, facts = changed(found, facts)
    return _act(view, found, facts, steps)


def _chosen(
    view: ProxyView,
    request: TraceRequest,
    connection: Connected,
    facts: Facts,
    steps: list[Step],
) -> tuple[Route, Facts, tuple[Leaf, ...]] | Answered:
    """The route that takes a request, the request as it sees it, and what is still to be asked."""
    routes = route_configuration(view, request, connection.handling, steps)
    if isinstance(routes, Answered):
        return routes
    host = virtual_host(routes, request.authority, steps)
    if host is None:
        return Answered(404, "no_route", f"no routes for host {request.authority}")
    found = route(host, facts, steps)
    return found if isinstance(found, Answered) else _again(host, found, facts, steps)


def _again(
    host: VirtualHost, found: Route, facts: Facts, steps: list[Step]
) -> tuple[Route, Facts, tuple[Leaf, ...]] | Answered:
    """The route that claims lead to, if any do; and what is still to be asked."""
    seen = verified(found.leaves, facts) if host.by_claims else None
    if seen is None:
        return found, facts, found.leaves
    before = tuple(each for each in found.leaves if acts_before(each))
    refused_by = judged(before, facts, found.name, steps)
    if refused_by is not None:
        return refused_by
    chosen = route(host, seen, steps)
    if isinstance(chosen, Answered):
        return chosen
    left = (each for each in chosen.leaves if _is_left(each))
    return chosen, replace(facts, claims=seen.claims), tuple(left)


def _is_left(leaf: Leaf) -> bool:
    return isinstance(leaf.value, FailClosed) or not acts_before(leaf)


def _act(view: ProxyView, found: Route, facts: Facts, steps: list[Step]) -> Outcome:
    match found.action:
        case Forward() as forward:
            return forwarded(view, found, forward, facts, steps)
        case Redirect() as redirect:
            where = location(redirect, found, facts)
            return Redirected(redirect.status, where, found.response_headers, found.name)
        case DirectResponse(status, body):
            headers = found.response_headers
            return Answered(status, "direct_response", body, headers, found.name)


def _refusal(request: TraceRequest, path: Path | None, *, edge: bool) -> str:
    """What Envoy finds wrong with a request; empty if nothing."""
    if path is None:
        return f"{request.path} is not a path"
    if request.method not in _METHODS:
        return f"{request.method} is not a method"
    odd = [name for name, _ in request.headers if "_" in name] if edge else []
    return f"a gateway takes no header with an underscore: {', '.join(odd)}" if odd else ""


def _facts(
    view: ProxyView, request: TraceRequest, connection: Connected, path: Path, *, edge: bool
) -> Facts:
    """The request as routes see it; at a gateway the client's word on the scheme is not taken."""
    own = {DESTINATION_HEADER, _SCHEME_HEADER} if edge else {DESTINATION_HEADER}
    headers = tuple(pair for pair in lowered(request.headers) if pair[0] not in own)
    claimed = next((value.lower() for name, value in headers if name == _SCHEME_HEADER), "")
    received = "https" if connection.ended else "http"
    scheme = claimed if claimed in {"http", "https"} else received
    return Facts(
        method=request.method,
        authority=request.authority,
        path=path.text,
        headers=headers,
        received_scheme=scheme,
        principal=request.principal if connection.identified else None,
        trust_domains=view.attached.settings.trust_domains,
        way=request.way,
        keys=view.keys,
        at=request.at,
    )
