"""The simulator on anything: it always answers, and routes by the Gateway API's precedence."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from property.bodies import HOSTS, PORTS, VIPS, Raw
from property.worlds import built, worlds
from serai.api.meta import Key, Object
from serai.app.core import Core
from serai.model.settings import Settings
from serai.trace import Forwarded, Trace, TraceRequest, Unresolved, View, lines, resolve, trace

LAW = settings(deadline=None, suppress_health_check=list(HealthCheck))

hosts = st.sampled_from(
    [*HOSTS, *VIPS, "[fd00::1]", "a.one.example", "127.0.0.1", "", "%", "[", "*"]
)
urls = st.builds(
    lambda scheme, host, port, path: f"{scheme}://{host}:{port}{path}",
    st.sampled_from(["http", "https", "tcp", "HTTP", ""]),
    hosts,
    st.sampled_from([*PORTS, 20000, 20010, 20011, 8080, "", "x"]),
    st.one_of(st.sampled_from(["/", "/a", "/b?x=1", "/a/../b"]), st.text(max_size=8)),
)
ways = st.sampled_from(["", "loopback", "blue/x", "blue/y", "red/x", "nobody", "/"])
callers = st.sampled_from(["", "blue/x", "red", "spiffe://cluster.local/ns/red/sa/x", "://"])
headers = st.lists(st.tuples(st.sampled_from(["x-a", "Host", "x_b"]), st.text(max_size=4)))


def view_of(objects: list[Object]) -> View:
    world = Core(Settings())
    world.apply(objects)
    return View(world.pipeline.attached, world.pipeline.translated)


@LAW
@given(
    held=worlds,
    asked=st.lists(st.tuples(urls, ways, callers, headers), min_size=1, max_size=8),
)
def test_there_is_an_answer_to_everything(
    held: list[Object], asked: list[tuple[str, str, str, list[tuple[str, str]]]]
) -> None:
    view = view_of(held)
    for url, via, caller, given_headers in asked:
        found = resolve(view, url, via=via, as_=caller, headers=tuple(given_headers))
        if isinstance(found, Unresolved):
            assert found.reason and found.message
            continue
        traced = trace(view, found)
        assert traced.steps and lines(traced)
        assert msgspec.json.decode(msgspec.json.encode(traced), type=Trace) == traced


PATHS = ("/", "/a", "/a/b", "/ab")
METHODS = ("GET", "POST")
_X, _Y = {"name": "x", "value": "1"}, {"name": "y", "value": "1"}
paths: st.SearchStrategy[Raw] = st.builds(
    lambda type, value: {"type": type, "value": value},
    st.sampled_from(["Exact", "PathPrefix"]),
    st.sampled_from(PATHS),
)
optional: dict[str, st.SearchStrategy[Any]] = {
    "method": st.sampled_from(METHODS),
    "headers": st.sampled_from([[_X], [_Y], [_X, _Y]]),
    "queryParams": st.just([{"name": "q", "value": "1"}]),
}
matches: st.SearchStrategy[Raw] = st.fixed_dictionaries({"path": paths}, optional=optional)
routes = st.lists(
    st.tuples(
        st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]),
        st.lists(st.lists(matches, min_size=1, max_size=2), min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=3,
)


@settings(LAW, max_examples=400)
@given(
    routes=routes,
    method=st.sampled_from(METHODS),
    path=st.sampled_from(PATHS),
    query=st.sampled_from(["", "?q=1", "?q=2&q=1"]),
    sent=st.sampled_from([[("x", "1"), ("y", "1")], [("x", "2"), ("y", "1")], []]),
)
def test_routes_are_taken_in_the_order_of_the_spec(
    routes: list[tuple[str, list[list[dict[str, Any]]]]],
    method: str,
    path: str,
    query: str,
    sent: list[tuple[str, str]],
) -> None:
    view = view_of([*_service(), *(_route(number, each) for number, each in enumerate(routes))])
    request = resolve(view, f"http://a.example{path}{query}", method=method, headers=tuple(sent))
    assert isinstance(request, TraceRequest)

    outcome = trace(view, request).outcome

    candidates = [
        (_precedence(match, age), f"shop/r{number}/{rule}/{position}")
        for number, (age, rules) in enumerate(routes)
        for rule, all_matches in enumerate(rules)
        for position, match in enumerate(all_matches)
        if _matches(match, method, path, query, sent)
    ]
    # Ties are left in the order of name, rule and match, which is how they were listed.
    best = min(candidates, key=lambda each: each[0], default=(None, None))[1]
    assert (outcome.route if isinstance(outcome, Forwarded) else None) == best


def _matches(
    match: dict[str, Any], method: str, path: str, query: str, sent: list[tuple[str, str]]
) -> bool:
    value = match["path"]["value"]
    if match["path"]["type"] == "Exact":
        fits = path == value
    else:
        fits = [*path.split("/"), ""][: len(value.rstrip("/").split("/"))] == value.rstrip(
            "/"
        ).split("/")
    return (
        fits
        and match.get("method", method) == method
        and all((each["name"], each["value"]) in sent for each in match.get("headers", []))
        and ("queryParams" not in match or query.startswith("?q=1"))
    )


def _precedence(match: dict[str, Any], age: str) -> tuple[object, ...]:
    """Gateway API, HTTPRouteRule.matches: what comes first, sorts first."""
    exact = match["path"]["type"] == "Exact"
    length = len(match["path"]["value"].rstrip("/")) if not exact else 0
    return (
        not exact,
        -length,
        "method" not in match,
        -len(match.get("headers", [])),
        -len(match.get("queryParams", [])),
        age,
    )


def _service() -> list[Object]:
    waypoint = {"spec": {"gatewayClassName": "serai-waypoint"}}
    spec = {
        "hosts": ["a.example"],
        "addresses": ["240.0.0.1"],
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "resolution": "STATIC",
        "endpoints": [{"address": "127.1.0.1"}],
    }
    labels = {"labels": {"istio.io/use-waypoint": "w"}}
    return [
        built(Key("Gateway", "shop", "w"), waypoint, {}),
        built(Key("ServiceEntry", "shop", "a"), {"spec": spec}, labels),
    ]


def _route(number: int, drawn: tuple[str, list[list[dict[str, Any]]]]) -> Object:
    age, rules = drawn
    entry = {"group": "networking.istio.io", "kind": "ServiceEntry", "name": "a"}
    spec = {
        "parentRefs": [entry],
        "rules": [{"matches": each, "backendRefs": [{**entry, "port": 80}]} for each in rules],
    }
    return built(Key("HTTPRoute", "shop", f"r{number}"), {"spec": spec}, {"creationTimestamp": age})
