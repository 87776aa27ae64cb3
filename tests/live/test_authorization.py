"""Each field and form of an AuthorizationPolicy, in every action, allowed and denied.

Every row of the table is a service with one policy; all are served by one Envoy, and each request
goes through `trace` as well.  Both must say what Istio's reference says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from casekit.case import load
from casekit.live import live, observe
from casekit.requests import mismatches
from casekit.traced import faults, follow
from live.serving import Place

pytestmark = pytest.mark.live

Raw = dict[str, Any]

CART = "spiffe://cluster.local/ns/shop/sa/cart"
OTHER = "spiffe://other.example/ns/shop-b/sa/web"


def source(**fields: Any) -> Raw:
    return {"from": [{"source": fields}]}


def operation(**fields: Any) -> Raw:
    return {"to": [{"operation": fields}]}


def when(key: str, **fields: Any) -> Raw:
    return {"when": [{"key": key, **fields}]}


def asked(**changes: Any) -> Raw:
    return {"from": CART, "path": "/a/b", "method": "get", "headers": {}, **changes}


NOBODY = asked(**{"from": ""})
WEB = asked(**{"from": OTHER})

HTTP: list[tuple[Raw, list[Raw], list[Raw]]] = [
    (source(principals=["cluster.local/ns/shop/sa/cart"]), [asked()], [WEB, NOBODY]),
    (source(principals=["former.example/ns/shop/sa/cart"]), [asked()], [WEB, NOBODY]),
    (source(principals=["other.example/*"]), [WEB], [asked(), NOBODY]),
    (source(principals=["*/sa/cart"]), [asked()], [WEB, NOBODY]),
    (source(principals=["*"]), [asked(), WEB], [NOBODY]),
    (source(notPrincipals=["*"]), [NOBODY], [asked(), WEB]),
    (source(notPrincipals=["cluster.local/ns/shop/sa/cart"]), [WEB, NOBODY], [asked()]),
    (source(namespaces=["shop"]), [asked()], [WEB, NOBODY]),
    (source(namespaces=["shop-*"]), [WEB], [asked(), NOBODY]),
    (source(notNamespaces=["shop"]), [WEB, NOBODY], [asked()]),
    (source(serviceAccounts=["shop/cart"]), [asked()], [WEB, NOBODY]),
    (source(serviceAccounts=["cart"]), [], [WEB, asked()]),
    (source(notServiceAccounts=["shop/cart"]), [WEB, NOBODY], [asked()]),
    (source(trustDomains=["other.example"]), [WEB], [asked(), NOBODY]),
    (source(trustDomains=["*.local"]), [asked()], [WEB, NOBODY]),
    (source(notTrustDomains=["other.example"]), [asked(), NOBODY], [WEB]),
    (source(ipBlocks=["127.0.0.0/8"]), [asked()], []),
    (source(ipBlocks=["10.0.0.1"]), [], [asked()]),
    (source(notIpBlocks=["10.0.0.1"]), [asked()], []),
    (
        source(remoteIpBlocks=["203.0.113.0/24"]),
        [asked(headers={"x-forwarded-for": "1.2.3.4, 203.0.113.9"})],
        [asked(), asked(headers={"x-forwarded-for": "203.0.113.9, 1.2.3.4"})],
    ),
    (
        source(notRemoteIpBlocks=["203.0.113.0/24"]),
        [asked()],
        [asked(headers={"x-forwarded-for": "203.0.113.9"})],
    ),
    (source(requestPrincipals=["*"]), [], [asked()]),
    (source(notRequestPrincipals=["*"]), [asked()], []),
    (
        source(principals=["cluster.local/ns/shop/*"], notServiceAccounts=["shop/cart"]),
        [asked(**{"from": "shop/web"})],
        [asked(), WEB],
    ),
    (operation(methods=["GET", "PU*"]), [asked(), asked(method="put")], [asked(method="post")]),
    (operation(methods=["*T"]), [asked(), asked(method="put")], [asked(method="patch")]),
    (operation(methods=["*"]), [asked(), asked(method="delete")], []),
    (operation(notMethods=["GET"]), [asked(method="post")], [asked()]),
    (operation(paths=["/a/b"]), [asked(), asked(path="/a/b?x=1")], [asked(path="/a/b/c")]),
    (operation(paths=["/a/*"]), [asked()], [asked(path="/A/b"), asked(path="/ab")]),
    (operation(paths=["*/b"]), [asked()], [asked(path="/a/bb")]),
    (operation(paths=["*"]), [asked()], []),
    (
        operation(paths=["/a/{*}/c"]),
        [asked(path="/a/b/c"), asked(path="/a/x-1%20/c?q")],
        [asked(), asked(path="/a/b/b/c")],
    ),
    (
        operation(paths=["/a/{**}"]),
        [asked(), asked(path="/a/b/c/d")],
        [asked(path="/b"), asked(path="/a")],
    ),
    (operation(notPaths=["/a*"]), [asked(path="/b")], [asked()]),
    (
        operation(hosts=["API.example"]),
        [asked(headers={"host": "api.EXAMPLE"})],
        [asked(), asked(headers={"host": "api.example:80"})],
    ),
    (operation(hosts=["*.wild.example"]), [asked(headers={"host": "x.wild.example"})], [asked()]),
    (
        operation(hosts=["api.*"]),
        [asked(headers={"host": "api.one"}), asked(headers={"host": "API.two:80"})],
        [asked(), asked(headers={"host": "an.api.one"})],
    ),
    (operation(hosts=["*"]), [asked()], []),
    (operation(notHosts=["api.example"]), [asked()], [asked(headers={"host": "api.example"})]),
    (operation(ports=["80"]), [asked()], []),
    (operation(ports=["8080"]), [], [asked()]),
    (operation(notPorts=["8080"]), [asked()], []),
    (
        when("request.headers[x-a]", values=["1", "b*"]),
        [asked(headers={"X-A": "1"}), asked(headers={"x-a": "bc"})],
        [asked(), asked(headers={"x-a": "12"})],
    ),
    (when("request.headers[x-a]", values=["*"]), [asked(headers={"x-a": "q"})], [asked()]),
    (
        when("request.headers[x-a]", values=["*b"]),
        [asked(headers={"x-a": "ab"})],
        [asked(), asked(headers={"x-a": "ba"})],
    ),
    (
        when("request.headers[X-A]", values=["1*"], notValues=["12"]),
        [asked(headers={"x-a": "11"})],
        [asked(), asked(headers={"x-a": "12"})],
    ),
    (when("request.headers[x-a]", notValues=["1"]), [asked()], [asked(headers={"x-a": "1"})]),
    (when("source.principal", values=["*cart"]), [asked()], [WEB]),
    (when("source.namespace", values=["shop"]), [asked()], [WEB]),
    (when("source.serviceAccount", values=["shop/cart"]), [asked()], [WEB]),
    (when("source.principal", notValues=["*"]), [NOBODY], [asked(), WEB]),
    (when("source.namespace", notValues=["shop*"]), [NOBODY], [asked(), WEB]),
    (when("source.serviceAccount", notValues=["shop/cart"]), [WEB, NOBODY], [asked()]),
    (when("source.trustDomain", values=["other.*"]), [WEB], [asked(), NOBODY]),
    (when("source.trustDomain", notValues=["other.example"]), [asked(), NOBODY], [WEB]),
    (when("source.ip", values=["127.0.0.0/8"]), [asked()], []),
    (when("source.ip", notValues=["127.0.0.0/8"]), [], [asked()]),
    (when("remote.ip", values=["127.0.0.1"]), [asked()], []),
    (when("destination.ip", values=["10.77.0.0/16"]), [asked()], []),
    (
        when("remote.ip", notValues=["203.0.113.9"]),
        [asked()],
        [asked(headers={"x-forwarded-for": "203.0.113.9"})],
    ),
    (when("destination.ip", notValues=["10.77.0.0/16"]), [], [asked()]),
    (when("destination.port", values=["81"]), [], [asked()]),
    (when("destination.port", notValues=["81"]), [asked()], []),
    (when("request.auth.principal", values=["*"]), [], [asked()]),
    (when("request.auth.presenter", values=["x"]), [], [asked()]),
    (when("request.auth.claims[a]", notValues=["x"]), [asked()], []),
    (when("request.auth.claims[a][b]", values=["x"]), [], [asked()]),
    (when("request.auth.audiences", notValues=["x"]), [asked()], []),
    (when("connection.sni", values=["x"]), [], [asked()]),
    (when("connection.sni", notValues=["x"]), [asked()], []),
    (when("experimental.envoy.filters.http.lua[k]", notValues=["x"]), [asked()], []),
    (when("experimental.envoy.filters.http.lua[k]", values=["[x]"]), [], [asked()]),
    (
        {**source(namespaces=["shop"]), **operation(methods=["GET"])},
        [asked()],
        [asked(method="post"), WEB],
    ),
]
"""A rule, requests that it matches, and requests that it does not match."""

TCP: list[tuple[Raw, str, bool, bool]] = [
    (source(principals=["*/sa/cart"]), CART, True, False),
    (source(principals=["*/sa/cart"]), OTHER, False, True),
    (source(principals=["*"]), "", False, True),
    (source(notPrincipals=["*"]), "", True, False),
    (source(principals=["cluster.local/ns/shop/sa/cart"]), CART, True, False),
    (source(principals=["former.example/ns/shop/sa/cart"]), CART, True, False),
    (source(notPrincipals=["cluster.local/ns/shop/sa/cart"]), CART, False, True),
    (source(namespaces=["shop"]), CART, True, False),
    (source(namespaces=["shop"]), "", False, True),
    (source(notNamespaces=["shop"]), "", True, False),
    (source(notNamespaces=["shop"]), CART, False, True),
    (source(serviceAccounts=["shop/cart"]), CART, True, False),
    (source(serviceAccounts=["shop/cart"]), OTHER, False, True),
    (source(notServiceAccounts=["shop/cart"]), OTHER, True, False),
    (source(trustDomains=["other.*"]), OTHER, True, False),
    (source(notTrustDomains=["other.*"]), OTHER, False, True),
    (source(ipBlocks=["127.0.0.0/8"]), "", True, False),
    (source(ipBlocks=["10.0.0.0/8"]), CART, False, True),
    (source(notIpBlocks=["10.0.0.0/8"]), CART, True, False),
    (source(remoteIpBlocks=["127.0.0.0/8"]), CART, True, False),
    (source(notRemoteIpBlocks=["127.0.0.0/8"]), CART, False, True),
    (source(requestPrincipals=["*"]), CART, False, False),
    (operation(notPorts=["90"]), CART, False, True),
    (operation(hosts=["*"]), CART, False, False),
    (operation(notPaths=["/x"]), CART, False, False),
    ({**source(namespaces=["shop"]), **operation(methods=["GET"])}, OTHER, False, True),
    (when("source.principal", values=["*cart"]), CART, True, False),
    (when("source.ip", values=["10.0.0.1"]), CART, False, True),
    (when("remote.ip", values=["127.0.0.1"]), CART, True, False),
    (when("destination.port", values=["90"]), CART, True, False),
    (when("connection.sni", values=["x"]), CART, False, True),
    (when("request.auth.claims[a]", values=["x"]), CART, False, False),
    (operation(ports=["90"]), CART, True, False),
    (operation(ports=["91"]), CART, False, True),
    (operation(methods=["GET"]), CART, False, False),
    ({**source(namespaces=["shop"]), **operation(paths=["/x"])}, CART, False, False),
    ({**source(namespaces=["shop"]), **operation(paths=["/x"])}, OTHER, False, True),
    (when("request.headers[x]", values=["1"]), CART, False, False),
    (when("destination.ip", values=["10.77.0.0/16"]), CART, True, False),
]
"""A rule, a caller, and whether bytes pass an ALLOW and a DENY of it: H.4 of Istio's rules."""


def _world() -> tuple[list[Raw], list[Raw]]:
    manifests: list[Raw] = [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "own", "labels": {"istio.io/use-waypoint": "waypoint"}},
        },
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": "waypoint", "namespace": "own"},
            "spec": {"gatewayClassName": "serai-waypoint"},
        },
    ]
    requests: list[Raw] = []
    for number, (rule, matched, others) in enumerate(HTTP):
        for action in ("ALLOW", "DENY", "AUDIT"):
            name = f"h{number}-{action.lower()}"
            manifests += _service(name, len(manifests), "HTTP", 80, action, rule)
            for passing, each in [(True, m) for m in matched] + [(False, o) for o in others]:
                allowed = passing if action == "ALLOW" else not passing or action == "AUDIT"
                requests.append(_request(name, each, allowed=allowed))
    for number, (rule, caller, allow, deny) in enumerate(TCP):
        for action, passes in (("ALLOW", allow), ("DENY", deny), ("AUDIT", True)):
            name = f"t{number}-{action.lower()}"
            manifests += _service(name, len(manifests), "TCP", 90, action, rule)
            expect = {"endpoint": "127.77.1.1:8090"} if passes else {"closed": True}
            requests.append({"tcp": f"{name}.example:90", "from": caller, "expect": expect})
    return manifests, requests


def _service(name: str, number: int, protocol: str, port: int, action: str, rule: Raw) -> list[Raw]:
    meta = {"name": name, "namespace": "own"}
    ports = [{"number": port, "name": "p", "protocol": protocol}]
    return [
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "ServiceEntry",
            "metadata": meta,
            "spec": {
                "hosts": [f"{name}.example"],
                "addresses": [f"10.77.{number // 250}.{number % 250 + 1}"],
                "ports": ports,
                "resolution": "STATIC",
                "endpoints": [{"address": "127.77.1.1", "ports": {"p": 8000 + port}}],
            },
        },
        {
            "apiVersion": "security.istio.io/v1",
            "kind": "AuthorizationPolicy",
            "metadata": meta,
            "spec": {
                "action": action,
                "targetRefs": [
                    {"group": "networking.istio.io", "kind": "ServiceEntry", "name": name}
                ],
                "rules": [rule],
            },
        },
    ]


def _request(name: str, each: Raw, *, allowed: bool) -> Raw:
    expect = {"status": 200, "endpoint": "127.77.1.1:8080"} if allowed else {"status": 403}
    return {
        each["method"]: f"http://{name}.example{each['path']}",
        "from": each["from"],
        "headers": each["headers"],
        "expect": expect,
    }


async def test_every_field_in_every_action_over_http_and_tcp(tmp_path: Path) -> None:
    manifests, requests = _world()
    (tmp_path / "input.yaml").write_text("# why: fields\n" + yaml.safe_dump_all(manifests))
    (tmp_path / "requests.yaml").write_text(yaml.safe_dump(requests))
    (tmp_path / "settings.yaml").write_text("trust_domain_aliases: [former.example]\n")
    case = load(tmp_path)
    place, wrong = Place(), list[object]()
    async with live(case, tmp_path / "state") as running:
        for stage in case.stages(place.gateway, place.vips):
            assert not stage.problems
            await running.reach(stage)
            assert running.rejections() == 0
            for request in case.requests:
                foreseen = faults(request, follow(stage.view, request))
                observed = await observe(running, stage, request, logged=False)
                assert observed is not None
                said = mismatches(request.expect, observed)
                if foreseen or said:
                    wrong.append((request.url, request.from_, request.headers, foreseen, said))
    assert running.rejections() == 0
    assert not wrong, f"{len(wrong)} of {len(case.requests)}: {wrong}"


def _provider(name: str, address: str) -> list[Raw]:
    """Whom CUSTOM asks by HTTP, in the root namespace; it is an endpoint that says 200 to all."""
    service = {"group": "networking.istio.io", "kind": "ServiceEntry", "name": name, "port": 80}
    answer = {"headersToBackend": ["content-type"]}
    http = {"backendRef": service, "authorizationResponse": answer}
    found = _service(name, 240, "HTTP", 80, "ALLOW", {})[0]
    found["metadata"]["namespace"] = "istio-system"
    found["spec"] |= {"addresses": [], "endpoints": [{"address": address, "ports": {"p": 8081}}]}
    return [
        found,
        {
            "apiVersion": "gateway.kgateway.dev/v1alpha1",
            "kind": "GatewayExtension",
            "metadata": {"name": name, "namespace": "istio-system"},
            "spec": {"type": "ExtAuth", "extAuth": {"httpService": http}},
        },
    ]


async def test_custom_asks_its_provider_about_what_its_rules_match(tmp_path: Path) -> None:
    rule = operation(paths=["/asked*"])
    service, policy = _service("partner", 1, "HTTP", 80, "CUSTOM", rule)
    policy["spec"]["provider"] = {"name": "guard"}
    manifests = [*_world()[0][:2], *_provider("guard", "127.77.1.2"), service, policy]
    ask = {"from": CART, "headers": {}, "expect": {"status": 200}}
    requests = [
        {"get": "http://partner.example/asked/x", **ask},
        {"get": "http://partner.example/", **ask},
    ]
    (tmp_path / "input.yaml").write_text("# why: custom\n" + yaml.safe_dump_all(manifests))
    (tmp_path / "requests.yaml").write_text(yaml.safe_dump(requests))
    case, place = load(tmp_path), Place()
    async with live(case, tmp_path / "state") as running:
        (stage,) = case.stages(place.gateway, place.vips)
        assert not stage.problems
        await running.reach(stage)
        asked_about, other = [
            await observe(running, stage, each, logged=False) for each in case.requests
        ]
        assert running.rejections() == 0
    assert asked_about is not None
    assert other is not None
    assert (asked_about.status, other.status) == (200, 200)
    assert "content-type" in dict(asked_about.headers or ())
    assert "content-type" not in dict(other.headers or ())
