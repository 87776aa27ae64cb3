"""From a URL to a proxy: every way in, and every reason why there is none."""

from __future__ import annotations

from typing import Any

import pytest

from serai.api.decode import decode
from serai.api.meta import Key
from serai.api.networking import ALLOCATE
from serai.app.core import Core
from serai.model.settings import Settings
from serai.trace import (
    Closed,
    Destination,
    GatewayPort,
    TraceRequest,
    Unresolved,
    View,
    resolve,
    trace,
)

WAYPOINT = Key("Gateway", "shop", "waypoint")
EDGE = Key("Gateway", "shop", "edge")


def manifest(kind: str, name: str, spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    version = {"Service": "v1", "ServiceEntry": "networking.istio.io/v1"}
    return {
        "apiVersion": version.get(kind, "gateway.networking.k8s.io/v1"),
        "kind": kind,
        "metadata": {"name": name, "namespace": "shop", **metadata},
        "spec": spec,
    }


CAPTURED = {"labels": {"istio.io/use-waypoint": "waypoint"}}
HTTP = [{"number": 80, "name": "http", "protocol": "HTTP"}]
MANIFESTS = [
    manifest(
        "Gateway",
        "waypoint",
        {
            "gatewayClassName": "serai-waypoint",
            "listeners": [{"name": "proxy", "port": 15088, "protocol": "istio.io/PROXY"}],
        },
    ),
    manifest(
        "Gateway",
        "edge",
        {
            "gatewayClassName": "serai",
            "listeners": [
                {"name": "any", "port": 8080, "protocol": "HTTP"},
                {"name": "udp", "port": 8081, "protocol": "UDP"},
            ],
        },
    ),
    manifest(
        "Gateway",
        "named",
        {
            "gatewayClassName": "serai",
            "listeners": [
                {"name": "web", "port": 8080, "protocol": "HTTP", "hostname": "*.web.example"}
            ],
        },
    ),
    manifest(
        "ServiceEntry",
        "partner",
        {
            "hosts": ["api.example"],
            "addresses": ["240.0.0.1", "127.66.0.1", "240.1.0.0/16", "fd00::1"],
            "ports": HTTP,
            "resolution": "STATIC",
        },
        **CAPTURED,
    ),
    manifest(
        "ServiceEntry",
        "plain",
        {"hosts": ["plain.example"], "ports": HTTP, "resolution": "STATIC"},
    ),
    manifest(
        "ServiceEntry",
        "silent",
        {"hosts": ["silent.example"], "ports": HTTP, "resolution": "STATIC"},
        **{**CAPTURED, "labels": {**CAPTURED["labels"], ALLOCATE: "false"}},
    ),
]


@pytest.fixture(scope="module")
def view() -> View:
    world = Core(Settings())
    objects = [decode(raw).object for raw in MANIFESTS]
    world.apply([each for each in objects if each is not None])
    return View(world.pipeline.attached, world.pipeline.translated)


@pytest.mark.parametrize(
    ("url", "via", "way"),
    [
        ("http://api.example/", "", Destination(WAYPOINT, "240.0.0.1", 80)),
        ("http://API.example:80", "", Destination(WAYPOINT, "240.0.0.1", 80)),
        ("api.example/x", "", Destination(WAYPOINT, "240.0.0.1", 80)),
        ("http://api.example/", "shop/waypoint", Destination(WAYPOINT, "240.0.0.1", 80)),
        ("http://api.example/", "loopback", Destination(WAYPOINT, "127.66.0.1", 80, False)),
        ("http://127.66.0.1/", "loopback", Destination(WAYPOINT, "127.66.0.1", 80, False)),
        ("http://127.66.0.1/", "", Destination(WAYPOINT, "127.66.0.1", 80)),
        ("http://240.1.2.3/", "", Destination(WAYPOINT, "240.1.2.3", 80)),
        ("http://[FD00:0::1]/", "", Destination(WAYPOINT, "fd00::1", 80)),
        ("http://9.9.9.9:99/", "shop/waypoint", Destination(WAYPOINT, "9.9.9.9", 99)),
        ("http://anything.example:8080/", "", GatewayPort(EDGE, 8080)),
        ("http://127.0.0.1:8080/", "", GatewayPort(EDGE, 8080)),
        ("http://a.web.example:8080/", "", GatewayPort(Key("Gateway", "shop", "named"), 8080)),
        ("http://a.web.example:8080/", "shop/edge", GatewayPort(EDGE, 8080)),
    ],
)
def test_a_url_resolves(view: View, url: str, via: str, way: Destination | GatewayPort) -> None:
    found = resolve(view, url, via=via)

    assert isinstance(found, TraceRequest), found
    assert found.way == way


@pytest.mark.parametrize(
    ("url", "via", "reason", "words"),
    [
        ("ftp://api.example/", "", "BadURL", "can be followed"),
        ("http:///x", "", "BadURL", "can be followed"),
        ("http://api.example:99999/", "", "BadURL", "99999"),
        ("http://[::/", "", "BadURL", "not a URL"),
        ("http://x:abc/", "", "BadURL", "Write http://host:port/path"),
        ("tcp://api.example", "", "BadURL", "no port"),
        ("http://nobody.example/", "", "UnknownHost", "nobody.example"),
        ("http://9.9.9.9/", "", "UnknownHost", "9.9.9.9 port 80"),
        ("http://plain.example/", "", "NotCaptured", "no label asks for a waypoint"),
        ("http://plain.example/", "shop/waypoint", "NotCaptured", "has not captured"),
        ("http://silent.example/", "", "NoAddress", "no client can reach it"),
        ("http://api.example:81/", "", "NoSuchPort", "it has: 80/HTTP"),
        ("http://api.example/", "shop/nobody", "BadGateway", "shop/edge, shop/named"),
        ("http://api.example:9/", "shop/edge", "NoListener", "it has: 8080, 8081"),
        ("http://api.example:8081/", "shop/edge", "NoListener", "no usable listener"),
        ("http://api.example:9/x", "shop/edge", "NoListener", "http://api.example:8080/x"),
    ],
)
def test_a_url_that_leads_nowhere_says_why(
    view: View, url: str, via: str, reason: str, words: str
) -> None:
    found = resolve(view, url, via=via)

    assert isinstance(found, Unresolved), found
    assert found.reason == reason
    assert words in found.message + found.remedy


def test_the_caller_is_a_spiffe_identity_or_short_for_one(view: View) -> None:
    for as_, principal in [
        ("spiffe://td/ns/a/sa/b", "spiffe://td/ns/a/sa/b"),
        ("a/b", "spiffe://cluster.local/ns/a/sa/b"),
        ("a", "spiffe://cluster.local/ns/a/sa/default"),
        ("", None),
    ]:
        found = resolve(view, "http://api.example/", as_=as_)
        assert isinstance(found, TraceRequest)
        assert found.principal == principal


def test_path_query_headers_and_host_are_kept_as_written(view: View) -> None:
    found = resolve(
        view,
        "http://api.example:80/a%2Fb?x=1&y#fragment",
        method="POST",
        headers=(("Host", "other.example"), ("X-A", "1")),
    )

    assert isinstance(found, TraceRequest)
    assert (found.method, found.path) == ("POST", "/a%2Fb?x=1&y")
    assert (found.authority, found.headers) == ("other.example", (("X-A", "1"),))


def test_nobody_listening_is_a_closed_connection(view: View) -> None:
    request = TraceRequest(GatewayPort(EDGE, 9999), "a.example")

    outcome = trace(view, request).outcome

    assert isinstance(outcome, Closed)
    assert outcome.reason == "no_listener"
