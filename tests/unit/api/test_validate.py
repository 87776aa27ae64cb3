"""Values that an API server or Istio's webhook would refuse are refused here too, with a path."""

from typing import Any

import pytest

from serai.api.decode import decode

ISTIO = "networking.istio.io/v1"
GATEWAY = "gateway.networking.k8s.io/v1"


def problems(api_version: str, kind: str, rest: dict[str, Any]) -> list[tuple[str, str]]:
    metadata = {"name": "x", **rest.pop("metadata", {})}
    decoded = decode({"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest})
    errors = [problem for problem in decoded.problems if problem.severity == "error"]
    assert (decoded.object is None) == bool(errors)
    assert all(p.message and p.remedy and p.key for p in decoded.problems)
    return [(problem.severity, problem.path) for problem in decoded.problems]


def errors(*paths: str) -> list[tuple[str, str]]:
    return [("error", path) for path in paths]


def warnings(*paths: str) -> list[tuple[str, str]]:
    return [("warning", path) for path in paths]


HTTP = {"number": 80, "name": "http", "protocol": "HTTP"}
TCP = {"number": 5432, "name": "db", "protocol": "TCP"}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        ({"ports": [HTTP, {**HTTP, "number": 81}]}, errors("spec.ports[1].name")),
        ({"ports": [HTTP, {**HTTP, "name": "b"}]}, errors("spec.ports[1].number")),
        ({"ports": [{**HTTP, "number": 0}]}, errors("spec.ports[0].number")),
        ({"ports": [{**HTTP, "number": 65536}]}, errors("spec.ports[0].number")),
        ({"ports": [{**HTTP, "targetPort": 70000}]}, errors("spec.ports[0].targetPort")),
        ({"ports": [{**HTTP, "name": "a_b"}]}, errors("spec.ports[0].name")),
        ({"ports": [{**HTTP, "protocol": "HTTTP"}]}, errors("spec.ports[0].protocol")),
        ({"ports": [{**HTTP, "protocol": "http2"}]}, []),
        ({"hosts": []}, errors("spec.hosts")),
        ({"hosts": ["*"]}, errors("spec.hosts[0]")),
        ({"hosts": ["a.*.b"]}, errors("spec.hosts[0]")),
        ({"hosts": ["a b"]}, errors("spec.hosts[0]")),
        ({"hosts": ["*.a.b"]}, []),
        ({"hosts": ["*a.b"]}, warnings("spec.hosts[0]")),
        ({"hosts": ["a.b", "a.b"]}, errors("spec.hosts[1]")),
        ({"addresses": ["10.0.0.1", "fd00::1", "10.0.0.0/24"]}, []),
        ({"addresses": ["10.0.0"]}, errors("spec.addresses[0]")),
        ({"addresses": ["10.0.0.0/33"]}, errors("spec.addresses[0]")),
        ({"addresses": ["10.0.0.0/8"], "resolution": "DNS"}, errors("spec.addresses[0]")),
        ({"endpoints": [{"address": "10.0.0.1"}]}, errors("spec.endpoints")),
        ({"workloadSelector": {"labels": {"a": "b"}}}, warnings("spec.workloadSelector")),
        (
            {"resolution": "STATIC", "workloadSelector": {}},
            warnings("spec.workloadSelector.labels"),
        ),
        (
            {"resolution": "STATIC", "workloadSelector": {"labels": {"a": "*"}}},
            errors("spec.workloadSelector.labels.a"),
        ),
        (
            {
                "resolution": "STATIC",
                "workloadSelector": {"labels": {"a": "b"}},
                "endpoints": [{"address": "10.0.0.1"}],
            },
            errors("spec.workloadSelector"),
        ),
        (
            {"resolution": "STATIC", "endpoints": [{"address": "a.b"}]},
            errors("spec.endpoints[0].address"),
        ),
        ({"resolution": "STATIC", "endpoints": [{}]}, errors("spec.endpoints[0].address")),
        ({"resolution": "DYNAMIC_DNS", "hosts": ["*"], "ports": [HTTP]}, []),
        ({"resolution": "DYNAMIC_DNS", "hosts": ["*", "a.b"]}, errors("spec.hosts[1]")),
        (
            {"resolution": "DYNAMIC_DNS", "hosts": ["*"], "ports": [{**HTTP, "protocol": "HTTPS"}]},
            errors("spec.ports[0].protocol"),
        ),
        ({"hosts": [f"h{n}.b" for n in range(257)]}, errors("spec.hosts")),
        (
            {"addresses": [f"10.0.{n // 250}.{n % 250}" for n in range(257)]},
            errors("spec.addresses"),
        ),
        ({"ports": [{"number": 80, "protocol": "HTTP"}]}, errors("spec.ports[0].name")),
        ({"ports": [{"number": n, "name": f"p{n}"} for n in range(1, 258)]}, errors("spec.ports")),
        (
            {"resolution": "STATIC", "endpoints": [{"address": "10.0.0.1"}] * 4097},
            errors("spec.endpoints"),
        ),
        (
            {
                "resolution": "STATIC",
                "endpoints": [
                    {"address": "10.0.0.1", "locality": "a" * 2049, "serviceAccount": "a" * 254}
                ],
            },
            errors("spec.endpoints[0].locality", "spec.endpoints[0].serviceAccount"),
        ),
        (
            {"resolution": "DNS", "ports": [HTTP], "endpoints": [{"address": "unix:///run/a"}]},
            errors("spec.endpoints[0].address"),
        ),
        (
            {"resolution": "STATIC", "ports": [HTTP], "endpoints": [{"address": "unix://@"}]},
            errors("spec.endpoints[0].address"),
        ),
        (
            {
                "resolution": "STATIC",
                "ports": [HTTP],
                "endpoints": [{"address": f"unix:///{'a' * 107}"}],
            },
            errors("spec.endpoints[0].address"),
        ),
        (
            {
                "resolution": "STATIC",
                "ports": [HTTP],
                "endpoints": [{"address": f"unix:///{'a' * 106}"}],
            },
            [],
        ),
        (
            {"resolution": "STATIC", "endpoints": [{"network": "n"}]},
            warnings("spec.endpoints[0].address"),
        ),
        (
            {"resolution": "STATIC", "endpoints": [{"address": "10.0.0.1", "weight": -1}]},
            errors("spec.endpoints[0].weight"),
        ),
        (
            {"resolution": "STATIC", "endpoints": [{"address": "10.0.0.1", "weight": 2**32}]},
            errors("spec.endpoints[0].weight"),
        ),
        ({"resolution": "STATIC", "endpoints": [{"address": "10.0.0.1", "weight": 2**32 - 1}]}, []),
        (
            {
                "resolution": "STATIC",
                "ports": [HTTP],
                "endpoints": [{"address": "10.0.0.1", "ports": {"htp": 80}}],
            },
            errors("spec.endpoints[0].ports.htp"),
        ),
        (
            {
                "resolution": "STATIC",
                "ports": [HTTP],
                "endpoints": [{"address": "10.0.0.1", "ports": {"http": 0}}],
            },
            errors("spec.endpoints[0].ports.http"),
        ),
        (
            {"resolution": "STATIC", "ports": [HTTP], "endpoints": [{"address": "unix:///a"}]},
            [],
        ),
        (
            {"resolution": "STATIC", "endpoints": [{"address": "unix://a"}]},
            errors("spec.endpoints[0].address", "spec.endpoints[0].address"),
        ),
        ({"resolution": "DNS"}, []),
        ({"resolution": "DNS", "hosts": ["*.a.b"]}, errors("spec.hosts[0]")),
        (
            {"resolution": "DNS", "hosts": ["*.a.b"], "endpoints": [{"address": "c.d"}]},
            [],
        ),
        (
            {"resolution": "DNS_ROUND_ROBIN", "endpoints": [{"address": "a.b"}] * 2},
            errors("spec.endpoints"),
        ),
        ({"resolution": "DNS", "hosts": ["a.b", "c.d"], "ports": [HTTP]}, []),
        ({"resolution": "STATIC", "hosts": ["a.b", "c.d"], "ports": [TCP]}, errors("spec.hosts")),
        ({"hosts": ["a.b", "c.d"], "ports": [TCP]}, []),
        (
            {
                "resolution": "DNS",
                "hosts": ["a.b", "c.d"],
                "ports": [TCP],
                "addresses": ["10.0.0.1"],
            },
            [*errors("spec.hosts"), *warnings("spec.addresses")],
        ),
        ({"resolution": "DYNAMIC_DNS", "hosts": ["*.a.b"], "ports": [HTTP]}, []),
        ({"resolution": "DYNAMIC_DNS"}, errors("spec.hosts[0]")),
        (
            {
                "resolution": "DYNAMIC_DNS",
                "hosts": ["*.a.b"],
                "ports": [TCP],
                "addresses": ["10.0.0.1"],
            },
            errors("spec.addresses", "spec.ports[0].protocol"),
        ),
        ({"resolution": "static"}, errors("spec.resolution")),
        ({"exportTo": [".", "shop"]}, []),
        ({"exportTo": ["A"]}, errors("spec.exportTo[0]")),
        ({"exportTo": [".", "."]}, errors("spec.exportTo[1]")),
        ({"exportTo": ["*", "."]}, errors("spec.exportTo")),
        ({"subjectAltNames": ["a"]}, []),
        ({"addresses": ["1" * 65]}, errors("spec.addresses[0]", "spec.addresses[0]")),
        ({"resolution": "STATIC", "hosts": ["a.b", "c.d"], "ports": [HTTP]}, []),
        (
            {"resolution": "DNS", "ports": [TCP], "endpoints": [{"address": "10.0.0.1:80"}]},
            errors("spec.endpoints[0].address"),
        ),
        (
            {"resolution": "DNS", "endpoints": [{"address": "a.b", "labels": {"a b": "c"}}]},
            errors("spec.endpoints[0].labels[a b]"),
        ),
        (
            {"resolution": "DNS", "endpoints": [{"address": "a.b", "ports": {"no": 80}}]},
            errors("spec.endpoints[0].ports.no"),
        ),
        ({"resolution": "DNS", "hosts": ["*.a.b"], "workloadSelector": {"labels": {"a": "b"}}}, []),
        (
            {"resolution": "DNS_ROUND_ROBIN", "hosts": ["*.a.b"], "ports": [HTTP]},
            errors("spec.hosts[0]"),
        ),
        (
            {
                "resolution": "DYNAMIC_DNS",
                "hosts": ["*.a.b"],
                "ports": [{**HTTP, "protocol": "TLS"}],
                "endpoints": [{"address": "10.0.0.1"}],
            },
            errors("spec.endpoints"),
        ),
        (
            {"resolution": "STATIC", "ports": [HTTP, TCP], "endpoints": [{"address": "unix:///a"}]},
            errors("spec.endpoints[0].address"),
        ),
        (
            {"resolution": "STATIC", "workloadSelector": {"labels": {"a*": "b"}}},
            errors("spec.workloadSelector.labels[a*]"),
        ),
        ({"exportTo": ["~", "shop"]}, errors("spec.exportTo")),
    ],
)
def test_service_entry(spec: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert problems(ISTIO, "ServiceEntry", {"spec": {"hosts": ["a.b"], **spec}}) == expected


def test_dynamic_dns_inside_the_mesh_behind_a_waypoint() -> None:
    spec = {"hosts": ["*.a.b"], "resolution": "DYNAMIC_DNS", "location": "MESH_INTERNAL"}
    rest = {"metadata": {"labels": {"istio.io/use-waypoint": "w"}}, "spec": spec}
    assert problems(ISTIO, "ServiceEntry", rest) == errors("spec.location")


def test_tcp_without_any_address() -> None:
    spec = {"hosts": ["a.b"], "ports": [TCP]}
    label = {"networking.istio.io/enable-autoallocate-ip": "False"}
    rest = {"metadata": {"labels": label}, "spec": spec}
    assert problems(ISTIO, "ServiceEntry", rest) == warnings("spec.addresses")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"address": "10.0.0.1"}, []),
        ({"address": "a.example"}, []),
        ({"address": "10.0.0.1", "labels": {"a b": "c"}}, errors("spec.labels[a b]")),
        ({"address": "10.0.0.1:80"}, errors("spec.address")),
        ({}, errors("spec.address")),
        ({"address": "unix:///a", "ports": {"a": 1}}, errors("spec.address")),
        ({"address": "10.0.0.1", "ports": {"A": 1}}, errors("spec.ports.A")),
        ({"network": "n1"}, warnings("spec.address")),
        ({"address": "unix://a"}, errors("spec.address")),
        ({"address": "unix://@a"}, []),
        ({"address": "10.0.0.1", "ports": {f"p{n}": 80 for n in range(129)}}, errors("spec.ports")),
        (
            {"address": "10.0.0.1", "labels": {f"l{n}": "" for n in range(257)}},
            errors("spec.labels"),
        ),
        ({"address": ".".join(["a" * 32] * 8)}, errors("spec.address", "spec.address")),
        ({"address": "10.0.0.1", "network": "n" * 2049}, errors("spec.network")),
        ({"address": "10.0.0.1", "locality": "l" * 2049}, errors("spec.locality")),
        ({"address": "10.0.0.1", "serviceAccount": "a" * 254}, errors("spec.serviceAccount")),
    ],
)
def test_workload_entry(spec: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert problems(ISTIO, "WorkloadEntry", {"spec": spec}) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"ports": [{"port": 0}]}, errors("spec.ports[0].port")),
        ({"ports": [{"port": 80, "targetPort": 0}]}, errors("spec.ports[0].targetPort")),
        ({"ports": [{"port": 80, "targetPort": "a_b"}]}, errors("spec.ports[0].targetPort")),
        ({"ports": [{"port": 80, "targetPort": "http-1"}]}, []),
        ({"ports": [{"port": 80, "name": "A"}]}, errors("spec.ports[0].name")),
        ({"ports": [{"port": 80, "name": "a"}, {"port": 81}]}, errors("spec.ports[1].name")),
        (
            {"ports": [{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]},
            errors("spec.ports[1].port"),
        ),
        (
            {
                "ports": [
                    {"port": 53, "name": "a"},
                    {"port": 53, "name": "b", "protocol": "UDP"},
                ]
            },
            [],
        ),
        ({"clusterIP": "None"}, []),
        ({"clusterIP": "10.0.0"}, errors("spec.clusterIP")),
        ({"clusterIPs": ["x"]}, errors("spec.clusterIPs[0]")),
        ({"type": "ExternalName"}, errors("spec.externalName")),
        ({"type": "ExternalName", "externalName": "a.b."}, []),
    ],
)
def test_service(spec: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert problems("v1", "Service", {"spec": spec}) == expected


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ({"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}]}, []),
        (
            {"addressType": "IPv4", "endpoints": [{"addresses": ["::1"]}]},
            errors("endpoints[0].addresses[0]"),
        ),
        (
            {"addressType": "IPv6", "endpoints": [{"addresses": []}]},
            errors("endpoints[0].addresses"),
        ),
        ({"addressType": "IPv5"}, errors("addressType")),
        ({"ports": [{"port": 70000}]}, errors("ports[0].port")),
        ({"ports": [{"name": "a"}, {"name": "a"}]}, errors("ports[1].name")),
    ],
)
def test_endpoint_slice(rest: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert problems("discovery.k8s.io/v1", "EndpointSlice", rest) == expected


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ({"status": {"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}]}}, []),
        ({"status": {"podIp": "10.0.0.1"}}, errors("status.podIp")),
        ({"status": {"podIP": "nowhere"}}, errors("status.podIP")),
        (
            {"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 0}]}]}},
            errors("spec.containers[0].ports[0].containerPort"),
        ),
    ],
)
def test_pod(rest: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert problems("v1", "Pod", rest) == expected


def test_secrets_and_config_maps() -> None:
    assert problems("v1", "Secret", {"data": {"a": "eA=="}}) == []
    assert problems("v1", "Secret", {"data": {"a": "%%"}}) == errors("data.a")
    assert problems("v1", "Secret", {"stringData": {"a b": "x"}}) == errors("stringData[a b]")
    assert problems("v1", "ConfigMap", {"data": {"a": "%%"}}) == []
    assert problems("v1", "ConfigMap", {"binaryData": {"a": "%%"}}) == errors("binaryData.a")


def listener(**fields: Any) -> dict[str, Any]:
    return {"name": "a", "port": 80, "protocol": "HTTP", **fields}


@pytest.mark.parametrize(
    ("listeners", "expected"),
    [
        ([listener(), listener(name="b")], []),
        ([listener(), listener(port=81)], errors("spec.listeners[1].name")),
        ([listener(port=0)], errors("spec.listeners[0].port")),
        ([listener(hostname="*.a.b")], []),
        ([listener(hostname="a.*.b")], errors("spec.listeners[0].hostname")),
        ([listener(hostname="10.0.0.1")], errors("spec.listeners[0].hostname")),
        ([listener(name="A")], errors("spec.listeners[0].name")),
        (
            [listener(allowedRoutes={"namespaces": {"from": "Selector"}})],
            errors("spec.listeners[0].allowedRoutes.namespaces"),
        ),
        (
            [listener(allowedRoutes={"namespaces": {"from": "all"}})],
            errors("spec.listeners[0].allowedRoutes.namespaces.from"),
        ),
    ],
)
def test_gateway(listeners: list[Any], expected: list[tuple[str, str]]) -> None:
    spec = {"gatewayClassName": "serai", "listeners": listeners}
    assert problems(GATEWAY, "Gateway", {"spec": spec}) == expected


def test_gateway_class() -> None:
    for name, expected in (("serai.dev/x", []), ("serai", errors("spec.controllerName"))):
        assert problems(GATEWAY, "GatewayClass", {"spec": {"controllerName": name}}) == expected


def path(kind: str, value: str) -> dict[str, Any]:
    return {"matches": [{"path": {"type": kind, "value": value}}]}


REPLACE = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/x"}
REWRITE = {"type": "URLRewrite", "urlRewrite": {"path": REPLACE}}
TO_A = {"backendRef": {"name": "a", "port": 80}}
MIRROR = {"type": "RequestMirror", "requestMirror": TO_A}
RULE = "spec.rules[0]"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, []),
        (path("Exact", "/a"), []),
        (path("PathPrefix", "a"), errors(f"{RULE}.matches[0].path.value")),
        (path("PathPrefix", "/a//b"), errors(f"{RULE}.matches[0].path.value")),
        (path("Exact", "/a/.."), errors(f"{RULE}.matches[0].path.value")),
        (path("RegularExpression", "a.*"), []),
        (path("RegularExpression", "a" * 1025), errors(f"{RULE}.matches[0].path.value")),
        (path("Prefix", "/"), errors(f"{RULE}.matches[0].path.type")),
        ({"matches": [{"method": "get"}]}, errors(f"{RULE}.matches[0].method")),
        (
            {"matches": [{"headers": [{"name": "a b", "value": "c"}]}]},
            errors(f"{RULE}.matches[0].headers[0].name"),
        ),
        (
            {"matches": [{"queryParams": [{"name": "a", "value": ""}]}]},
            errors(f"{RULE}.matches[0].queryParams[0].value"),
        ),
        (
            {"matches": [{"headers": [{"name": "a", "value": "c"}] * 2}]},
            errors(f"{RULE}.matches[0].headers[1].name"),
        ),
        (
            {"backendRefs": [{"name": "a", "port": 80, "weight": -1}]},
            errors(f"{RULE}.backendRefs[0].weight"),
        ),
        ({"retry": {"attempts": 2**32}}, errors(f"{RULE}.retry.attempts")),
        ({"backendRefs": [{"name": "a"}]}, errors(f"{RULE}.backendRefs[0].port")),
        ({"backendRefs": [{"name": "a", "group": "g", "kind": "K"}]}, []),
        ({"timeouts": {"request": "10"}}, errors(f"{RULE}.timeouts.request")),
        ({"timeouts": {"request": "1m30s"}}, []),
        ({"retry": {"attempts": 2, "codes": [500], "backoff": "10ms"}}, []),
        ({"retry": {"codes": [200]}}, errors(f"{RULE}.retry.codes[0]")),
        ({"retry": {"backoff": "soon"}}, errors(f"{RULE}.retry.backoff")),
        ({"sessionPersistence": {"sessionName": "s", "cookieConfig": {}}}, []),
        ({"sessionPersistence": {"type": "Header"}}, errors(f"{RULE}.sessionPersistence")),
        (
            {"sessionPersistence": {"cookie": {"lifetimeType": "Permanent"}}},
            errors(f"{RULE}.sessionPersistence"),
        ),
        ({"filters": [MIRROR, MIRROR]}, []),
        (
            {"filters": [{**MIRROR, "requestMirror": {**TO_A, "percent": 101}}]},
            errors(f"{RULE}.filters[0].requestMirror.percent"),
        ),
        (
            {"filters": [{**MIRROR, "requestMirror": {**TO_A, "fraction": {"numerator": 101}}}]},
            errors(f"{RULE}.filters[0].requestMirror.fraction"),
        ),
        ({"filters": [{"type": "Sparkle"}]}, warnings(f"{RULE}.filters[0].type")),
        ({"filters": [{"type": "URLRewrite"}]}, errors(f"{RULE}.filters[0]")),
        ({"filters": [REWRITE]}, []),
        ({**path("Exact", "/a"), "filters": [REWRITE]}, errors(f"{RULE}.filters")),
        ({"filters": [REWRITE, REWRITE]}, errors(f"{RULE}.filters[1].type")),
        ({"filters": [{"type": "RequestRedirect", "requestRedirect": {}}, REWRITE]}, []),
        (
            {"filters": [{"type": "RequestRedirect", "requestRedirect": {"statusCode": 299}}]},
            errors(f"{RULE}.filters[0].requestRedirect.statusCode"),
        ),
        (
            {"filters": [{"type": "RequestRedirect", "requestRedirect": {"hostname": "*.a"}}]},
            errors(f"{RULE}.filters[0].requestRedirect.hostname"),
        ),
        (
            {
                "filters": [
                    {
                        "type": "RequestHeaderModifier",
                        "requestHeaderModifier": {"set": [{"name": "a", "value": "b\nc"}]},
                    }
                ]
            },
            errors(f"{RULE}.filters[0].requestHeaderModifier.set[0].value"),
        ),
        (
            {
                "filters": [
                    {
                        "type": "URLRewrite",
                        "urlRewrite": {"path": {"type": "ReplaceFullPath"}},
                    }
                ]
            },
            errors(f"{RULE}.filters[0].urlRewrite.path"),
        ),
    ],
)
def test_http_route_rules(rule: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert problems(GATEWAY, "HTTPRoute", {"spec": {"rules": [rule]}}) == expected


def test_http_route() -> None:
    spec = {"hostnames": ["a.b:80"], "parentRefs": [{"name": "g", "port": 0}]}
    found = problems(GATEWAY, "HTTPRoute", {"spec": spec})
    assert found == errors("spec.hostnames[0]", "spec.parentRefs[0].port")
    spec = {"rules": [{"name": "a"}, {"name": "a"}]}
    assert problems(GATEWAY, "HTTPRoute", {"spec": spec}) == errors("spec.rules[1].name")
