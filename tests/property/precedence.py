"""Which rule takes a request, as plainly as the Gateway API's own words say it.

A model to hold translation, simulator and Envoy against: it knows nothing of virtual hosts, ranks
or scopes.  Every rule answers by itself, with a header that names it.
"""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st

HOSTS = ("a.example", "b.example", "x.b.example", "y.x.b.example", "other")
HOSTNAMES = ("a.example", "b.example", "*.example", "*.b.example", "x.b.example")
PATHS = ("/", "/a", "/a/b", "/ab", "/shop.Cart", "/shop.Cart/Get", "/shop.Cart/Put")
PORT = 18790


class Match(msgspec.Struct, frozen=True):
    """One match of a rule; a GRPCRoute's has service and call, an HTTPRoute's the rest."""

    path: str = "/"
    exact: bool = False
    method: str = ""
    headers: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    service: str = ""
    call: str = ""


class Route(msgspec.Struct, frozen=True):
    """A route on the one listener there is."""

    kind: str
    namespace: str
    name: str
    created: str
    hostnames: tuple[str, ...]
    rules: tuple[tuple[Match, ...], ...]

    @property
    def age(self) -> tuple[str, str, str]:
        """Sorts routes by who comes first where nothing else decides."""
        return (self.created or "9999", self.namespace, self.name)


class Asked(msgspec.Struct, frozen=True):
    """A request."""

    host: str
    path: str
    method: str
    headers: tuple[str, ...]
    query: tuple[str, ...]
    grpc: bool


def winner(routes: list[Route], asked: Asked) -> str | None:
    """``namespace/name/rule`` of what takes a request; None if nothing does."""
    found = [
        (*_of_host(hostname), *_of_match(route.kind, match), *route.age, number, position, route)
        for route in attached(routes)
        for hostname in route.hostnames or ("*",)
        if _covers(hostname, asked.host)
        for number, matches in enumerate(route.rules)
        for position, match in enumerate(matches or (Match(),))
        if _takes(route.kind, match, asked)
    ]
    if not found:
        return None
    *_, number, _, route = min(found, key=lambda each: each[:-1])
    return f"{route.namespace}/{route.name}/{number}"


def attached(routes: list[Route]) -> list[Route]:
    """Of an HTTPRoute and a GRPCRoute whose hostnames meet, the older one only."""
    kept: list[Route] = []
    for route in sorted(routes, key=lambda each: each.age):
        if not any(other.kind != route.kind and _meet(other, route) for other in kept):
            kept.append(route)
    return kept


def _meet(one: Route, other: Route) -> bool:
    return any(
        _covers(first, second) or _covers(second, first)
        for first in one.hostnames or ("*",)
        for second in other.hostnames or ("*",)
    )


def _covers(hostname: str, host: str) -> bool:
    if hostname in {"*", host}:
        return True
    return hostname.startswith("*.") and host.endswith(hostname[1:])


def _of_host(hostname: str) -> tuple[bool, int]:
    """The most characters of a hostname without a wildcard, then of any."""
    return (hostname.startswith("*"), -len(hostname) if hostname != "*" else 0)


def _of_match(kind: str, match: Match) -> tuple[Any, ...]:
    if kind == "GRPCRoute":
        return (-len(match.service), -len(match.call), -len(match.headers), 0, 0)
    longest = -len(match.path.rstrip("/") or "/")
    return (not match.exact, longest, not match.method, -len(match.headers), -len(match.query))


def _takes(kind: str, match: Match, asked: Asked) -> bool:
    if not set(match.headers) <= set(asked.headers):
        return False
    if kind == "GRPCRoute":
        service, _, call = asked.path.removeprefix("/").partition("/")
        named = match.service in {"", service} and match.call in {"", call}
        return asked.grpc and asked.method == "POST" and named and bool(call or not match.call)
    below = match.path.rstrip("/")
    path = asked.path == match.path if match.exact else f"{asked.path}/".startswith(f"{below}/")
    method = match.method in {"", asked.method}
    return path and method and set(match.query) <= set(asked.query)


def manifest(route: Route) -> dict[str, Any]:
    """A route as a manifest."""
    write = _call if route.kind == "GRPCRoute" else _request
    rules = [
        {
            "matches": [write(match) for match in matches],
            "filters": [
                {
                    "type": "ResponseHeaderModifier",
                    "responseHeaderModifier": {"set": [{"name": "won", "value": _name(route, n)}]},
                }
            ],
        }
        for n, matches in enumerate(route.rules)
    ]
    age = {"creationTimestamp": route.created} if route.created else {}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": route.kind,
        "metadata": {"name": route.name, "namespace": route.namespace, **age},
        "spec": {
            "parentRefs": [{"name": "edge", "namespace": "one"}],
            "hostnames": list(route.hostnames),
            "rules": rules,
        },
    }


GATEWAY: dict[str, Any] = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "Gateway",
    "metadata": {"name": "edge", "namespace": "one"},
    "spec": {
        "gatewayClassName": "serai",
        "listeners": [
            {
                "name": "http",
                "port": PORT,
                "protocol": "HTTP",
                "allowedRoutes": {"namespaces": {"from": "All"}},
            }
        ],
    },
}


def _name(route: Route, rule: int) -> str:
    return f"{route.namespace}/{route.name}/{rule}"


def _request(match: Match) -> dict[str, Any]:
    written: dict[str, Any] = {
        "path": {"type": "Exact" if match.exact else "PathPrefix", "value": match.path},
        "headers": [{"name": name, "value": "1"} for name in match.headers],
        "queryParams": [{"name": name, "value": "1"} for name in match.query],
    }
    return {**written, "method": match.method} if match.method else written


def _call(match: Match) -> dict[str, Any]:
    method = {"service": match.service, "method": match.call}
    named = {name: value for name, value in method.items() if value}
    headers = [{"name": name, "value": "1"} for name in match.headers]
    return {"headers": headers, **({"method": named} if named else {})}


_names = st.lists(st.sampled_from(["x-a", "x-b"]), unique=True, max_size=2).map(tuple)
_params = st.lists(st.sampled_from(["p", "q"]), unique=True, max_size=2).map(tuple)
_requests = st.builds(
    Match,
    path=st.sampled_from(PATHS),
    exact=st.booleans(),
    method=st.sampled_from(["", "GET", "POST"]),
    headers=_names,
    query=_params,
)
_calls = st.builds(
    Match,
    headers=_names,
    service=st.sampled_from(["", "shop.Cart", "shop"]),
    call=st.sampled_from(["", "Get", "Put"]),
)


_alike = st.builds(
    Match,
    path=st.just("/a"),
    exact=st.just(False),
    method=st.sampled_from(["", "GET"]),
    headers=_names,
    query=_params,
)


def _routes(kind: str, matches: st.SearchStrategy[Match]) -> st.SearchStrategy[Route]:
    rule = st.lists(matches, min_size=1, max_size=2).map(tuple)
    return st.builds(
        Route,
        kind=st.just(kind),
        namespace=st.sampled_from(["one", "two"]),
        name=st.sampled_from(["a", "b", "c"]),
        created=st.sampled_from(["", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]),
        hostnames=st.lists(st.sampled_from(HOSTNAMES), unique=True, max_size=2).map(tuple),
        rules=st.lists(rule, min_size=1, max_size=2).map(tuple),
    )


route_sets = st.lists(
    st.one_of(
        _routes("HTTPRoute", _requests),
        _routes("HTTPRoute", _requests),
        _routes("GRPCRoute", _calls).map(
            lambda route: msgspec.structs.replace(route, name=f"g{route.name}")
        ),
    ),
    max_size=6,
    unique_by=lambda route: (route.namespace, route.name),
)
"""Routes on one listener; names of the two kinds differ, since a tie of names decides nothing."""

close_sets = st.lists(
    _routes("HTTPRoute", _alike).map(lambda route: msgspec.structs.replace(route, hostnames=())),
    min_size=2,
    max_size=4,
    unique_by=lambda route: (route.namespace, route.name),
)
"""Routes that only methods, headers, parameters and age tell apart."""

asks_for_all = Asked("other", "/a", "GET", ("x-a", "x-b"), ("p", "q"), grpc=False)
"""What each of their matches takes."""

requests = st.builds(
    Asked,
    host=st.sampled_from(HOSTS),
    path=st.sampled_from(PATHS),
    method=st.sampled_from(["GET", "POST"]),
    headers=_names,
    query=_params,
    grpc=st.booleans(),
)


def url(asked: Asked) -> str:
    query = "&".join(f"{name}=1" for name in asked.query)
    return f"http://{asked.host}:{PORT}{asked.path}{'?' if query else ''}{query}"


def headers(asked: Asked) -> tuple[tuple[str, str], ...]:
    named = tuple((name, "1") for name in asked.headers)
    return (*named, ("content-type", "application/grpc")) if asked.grpc else named
