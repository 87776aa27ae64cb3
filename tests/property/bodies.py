"""What may stand in a manifest of each kind, from so few names that references and claims meet."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Raw = dict[str, Any]

NAMESPACES = ("blue", "red")
NAMES = ("x", "y")
HOSTS = ("one.example", "two.example", "*.wild.example", "x.blue.svc.cluster.local")
ALLOCATED = ("127.80.0.1", "127.80.0.2", "240.240.0.9", "2001:2::1")
VIPS = ("240.0.0.1", "240.0.0.2", "127.66.0.1", "fd00::1", "240.0.0.0/24")
SUBSET = f"outbound_.80_.v1_.{HOSTS[0]}"
SOCKET = "unix://@socket"
ADDRESSES = ("127.1.0.1", "127.1.0.2", "fd01::1")
APPS = ("a", "b")
PORTS = (80, 90)
GATEWAY_API = "gateway.networking.k8s.io"
ISTIO = "networking.istio.io"
KGW = "gateway.kgateway.dev"

_GATEWAY_PORTS = {
    (namespace, name): 20000 + 10 * number
    for number, (namespace, name) in enumerate((a, b) for a in NAMESPACES for b in NAMES)
}


def _maybe(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Raw]:
    """A map of which any field may be missing."""
    return st.fixed_dictionaries({}, optional=fields)


def _few(of: st.SearchStrategy[Any], most: int = 2, least: int = 0) -> st.SearchStrategy[list[Any]]:
    return st.lists(of, min_size=least, max_size=most)


def _choice(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


waypoint_labels = _maybe(
    **{
        "istio.io/use-waypoint": _choice(*NAMES, "none"),
        "istio.io/use-waypoint-namespace": _choice(*NAMESPACES),
    }
)
few_waypoint_labels: st.SearchStrategy[Raw] = st.one_of(st.just({}), st.just({}), waypoint_labels)
"""Most objects leave it to their Namespace."""
workload_labels = _maybe(app=_choice(*APPS), tier=_choice("t"))
waypoint_for = _choice("service", "none", "workload", "all")
addressed_labels: st.SearchStrategy[Raw] = st.builds(
    lambda one, other: {**one, **other}, few_waypoint_labels, workload_labels
)
"""Of what has addresses of its own."""
ages = _maybe(creationTimestamp=_choice("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"))
localities = _choice("", "r1", "r1/z1", "r2/z2/s2")

namespaces = st.fixed_dictionaries({"labels": st.one_of(waypoint_labels, workload_labels)})
nodes = st.fixed_dictionaries(
    {
        "labels": _maybe(
            **{
                "topology.kubernetes.io/region": _choice("r1", "r2"),
                "topology.kubernetes.io/zone": _choice("z1"),
            }
        )
    }
)


def _ports(number: str, target: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Raw]]:
    entry = st.fixed_dictionaries(
        {
            number: _choice(*PORTS),
            "name": _choice("http", "http-2", "tcp", "other"),
            "targetPort": target,
        }
    )
    unique = st.lists(entry, min_size=1, max_size=2, unique_by=lambda each: each[number])
    return unique.filter(lambda ports: len({each["name"] for each in ports}) == len(ports))


services = st.fixed_dictionaries(
    {
        "labels": few_waypoint_labels,
        "spec": st.fixed_dictionaries(
            {
                "ports": _ports("port", _choice(8080, 8081, "web")),
                "clusterIP": _choice(*VIPS[:3], "None", ""),
            },
            optional={
                "selector": workload_labels,
                "publishNotReadyAddresses": st.booleans(),
            },
        ),
    }
)

endpoints = st.fixed_dictionaries(
    {"address": _choice(*ADDRESSES, SOCKET)},
    optional={
        "ports": _maybe(http=_choice(8082)),
        "weight": st.integers(0, 3),
        "locality": localities,
    },
)


def _inline(endpoint: Raw, named: set[str]) -> Raw:
    """Only one port takes a socket, and only ports of these names can be mapped."""
    if endpoint["address"] == SOCKET and len(named) == 1:
        return {**endpoint, "ports": {}}
    address = endpoint["address"].replace(SOCKET, ADDRESSES[0])
    kept = {k: v for k, v in endpoint.get("ports", {}).items() if k in named}
    return {**endpoint, "address": address, "ports": kept}


def _entry_spec(raw: tuple[Any, ...]) -> Raw:
    hosts, ports, vips, kind, inline, selector, export = raw
    if kind != "NONE" and len(hosts) > 1:
        # Bytes for several hosts are refused when decoded; HTTP and TLS tell them apart.
        told = {"tcp": "TLS", "other": "HTTPS"}
        ports = [{**port, "protocol": told.get(port["name"], "HTTP")} for port in ports]
    named = {port["name"] for port in ports}
    inline = [_inline(each, named) for each in inline]
    spec: Raw = {"hosts": hosts, "ports": ports, "addresses": vips, "exportTo": export}
    match kind:
        case "inline":
            return {**spec, "resolution": "STATIC", "endpoints": inline}
        case "selector":
            return {**spec, "resolution": "STATIC", "workloadSelector": {"labels": selector}}
        case "NONE":
            return {**spec, "resolution": "NONE"}
        case "DYNAMIC_DNS":
            wild = [host for host in hosts if "*" in host] or ["*"]
            http = [{**port, "protocol": "HTTP"} for port in ports]
            return {**spec, "hosts": wild, "addresses": [], "ports": http, "resolution": kind}
        case _:
            plain = [host for host in hosts if "*" not in host] or ["plain.example"]
            vips = [vip for vip in vips if "/" not in vip]
            return {**spec, "hosts": plain, "addresses": vips, "resolution": kind}


_allocation = _choice({}, {}, {}, {"networking.istio.io/enable-autoallocate-ip": "False"})

service_entries = st.fixed_dictionaries(
    {
        "labels": st.tuples(few_waypoint_labels, _allocation).map(
            lambda both: {**both[0], **both[1]}
        ),
        "status": _maybe(
            addresses=_few(
                st.fixed_dictionaries({"value": _choice(*ALLOCATED), "host": _choice(*HOSTS, "")})
            )
        ),
        "spec": st.tuples(
            st.lists(_choice(*HOSTS), min_size=1, max_size=2, unique=True),
            _ports("number", _choice(8080)),
            st.one_of(st.just([]), st.lists(_choice(*VIPS, "127.80.0.2"), max_size=2, unique=True)),
            _choice("inline", "selector", "DNS", "DNS_ROUND_ROBIN", "NONE", "DYNAMIC_DNS"),
            _few(endpoints),
            st.fixed_dictionaries({"app": _choice(*APPS)}),
            _choice([], ["."], ["red"], ["*"]),
        ).map(_entry_spec),
    }
)

workload_entries = st.fixed_dictionaries(
    {
        "labels": addressed_labels,
        "annotations": _maybe(**{"proxy.istio.io/health-checks-enabled": _choice("true")}),
        "spec": endpoints.map(lambda each: _inline(each, set())),
        "status": _maybe(
            conditions=st.just([{"type": "Healthy", "status": "True"}]),
        ),
    }
)

pods = st.fixed_dictionaries(
    {
        "labels": addressed_labels,
        "spec": st.fixed_dictionaries(
            {
                "containers": st.just(
                    [{"name": "c", "ports": [{"name": "web", "containerPort": 8083}]}]
                ),
            },
            optional={"nodeName": _choice(*NAMES), "hostNetwork": st.booleans()},
        ),
        "status": st.fixed_dictionaries(
            {"podIP": _choice(*ADDRESSES)},
            optional={
                "conditions": st.just([{"type": "Ready", "status": "False"}]),
                "phase": _choice("Running", "Succeeded"),
            },
        ),
    }
)

endpoint_slices = st.fixed_dictionaries(
    {
        "labels": _maybe(**{"kubernetes.io/service-name": _choice(*NAMES)}),
        "addressType": st.just("IPv4"),
        "ports": st.just([{"name": "http", "port": 8080}]),
        "endpoints": _few(
            st.fixed_dictionaries(
                {"addresses": st.just(["127.1.0.3"])},
                optional={
                    "conditions": _maybe(ready=st.booleans()),
                    "nodeName": _choice(*NAMES),
                },
            )
        ),
    }
)

_PARAMETERS = {"group": KGW, "kind": "GatewayParameters"}

gateway_classes = st.fixed_dictionaries(
    {
        "labels": _maybe(**{"istio.io/waypoint-for": _choice("service", "workload")}),
        "spec": st.fixed_dictionaries(
            {"controllerName": _choice("serai.dev/gateway-controller", "example.com/other")},
            optional={
                "parametersRef": st.builds(
                    lambda where, named: {**_PARAMETERS, "namespace": where, "name": named},
                    _choice(*NAMESPACES),
                    _choice(*NAMES),
                )
            },
        ),
    }
)

allowed_routes = _choice(
    {},
    {"namespaces": {"from": "All"}},
    {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"tier": "t"}}}},
    {"kinds": [{"kind": "GRPCRoute"}]},
)


def gateways(namespace: str, name: str) -> st.SearchStrategy[Raw]:
    """Gateways of one name, on ports that no other name has."""
    port = _GATEWAY_PORTS[namespace, name]
    listener = st.fixed_dictionaries(
        {
            "port": _choice(port, port + 1),
            "protocol": _choice("HTTP", "HTTP", "TCP"),
            "allowedRoutes": allowed_routes,
        },
        optional={"hostname": _choice("one.example", "*.example")},
    ).map(_without_odd_hosts)
    mesh = st.fixed_dictionaries(
        {
            "name": st.just("mesh"),
            "port": st.just(port),
            "protocol": _choice("istio.io/PROXY", "HBONE"),
            "allowedRoutes": allowed_routes,
        }
    )
    edge = _few(listener, most=3).map(
        lambda found: [{**each, "name": f"l{number}"} for number, each in enumerate(found)]
    )
    return st.fixed_dictionaries(
        {
            "labels": _maybe(
                **{"istio.io/waypoint-for": _choice("service", "none", "workload", "all")}
            ),
            "spec": st.fixed_dictionaries(
                {
                    "gatewayClassName": _choice("serai", "serai-waypoint", *NAMES),
                    "listeners": st.one_of(_few(mesh, most=1), edge),
                },
                optional={
                    "addresses": st.just([{"value": "127.0.0.9"}]),
                    "infrastructure": st.builds(
                        lambda named: {"parametersRef": {**_PARAMETERS, "name": named}},
                        _choice(*NAMES),
                    ),
                    "allowedListeners": _choice(
                        {"namespaces": {"from": "All"}}, {"namespaces": {"from": "Same"}}
                    ),
                },
            ),
        }
    )


def _without_odd_hosts(listener: Raw) -> Raw:
    """TCP has no host names."""
    kept = listener["protocol"] != "TCP"
    return {key: value for key, value in listener.items() if key != "hostname" or kept}


meshes = st.fixed_dictionaries(
    {
        "spec": st.fixed_dictionaries(
            {"controllerName": _choice("serai.dev/gateway-controller", "x.io/y")}
        )
    }
)

listener_sets = st.fixed_dictionaries(
    {
        "spec": st.fixed_dictionaries(
            {
                "parentRef": st.fixed_dictionaries(
                    {"name": _choice(*NAMES), "namespace": st.just("blue")}
                ),
                "listeners": _few(
                    st.fixed_dictionaries(
                        {
                            "port": _choice(20000, 20001, 20010),
                            "protocol": _choice("HTTP", "HTTP", "TCP"),
                            "allowedRoutes": allowed_routes,
                        },
                        optional={"hostname": _choice("one.example", "two.example")},
                    ).map(_without_odd_hosts),
                    least=1,
                ).map(
                    lambda found: [
                        {**each, "name": f"l{number}"} for number, each in enumerate(found)
                    ]
                ),
            }
        )
    }
)


references = st.one_of(
    _maybe(name=_choice(*NAMES), namespace=_choice(*NAMESPACES), port=_choice(*PORTS)),
    _maybe(name=_choice(*NAMES), namespace=_choice(*NAMESPACES), port=_choice(*PORTS)).map(
        lambda raw: {**raw, "group": ISTIO, "kind": "ServiceEntry"}
    ),
    _maybe(name=_choice(*HOSTS, "api.wild.example", SUBSET), port=_choice(*PORTS)).map(
        lambda raw: {"name": HOSTS[0], **raw, "group": ISTIO, "kind": "Hostname"}
    ),
).map(lambda raw: {"name": "x", **raw})

backend_refs = st.tuples(references, _maybe(weight=st.integers(0, 3))).map(
    lambda parts: {"port": 80, **parts[0], **parts[1]}
)

parent_refs = st.one_of(
    _maybe(sectionName=_choice("l0", "mesh")).map(
        lambda raw: {"namespace": "blue", **raw, "kind": "Gateway", "group": GATEWAY_API}
    ),
    _maybe(sectionName=_choice("l0", "l1")).map(
        lambda raw: {"namespace": "blue", **raw, "kind": "ListenerSet", "group": GATEWAY_API}
    ),
    references.map(lambda raw: {"group": "", "kind": "Service", **raw}),
).flatmap(lambda raw: _choice(*NAMES).map(lambda name: {"name": name, **raw}))

filters = _choice(
    [],
    [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x-a"]}}],
    [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}}],
    [{"type": "ExtensionRef", "extensionRef": {"group": "g", "kind": "K", "name": "n"}}],
    [
        {
            "type": "ExtensionRef",
            "extensionRef": {"group": KGW, "kind": "DirectResponse", "name": "x"},
        }
    ],
    [
        {
            "type": "ExtensionRef",
            "extensionRef": {"group": KGW, "kind": "TrafficPolicy", "name": "x"},
        }
    ],
    [{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "x", "port": 80}}}],
    [{"type": "URLRewrite", "urlRewrite": {"hostname": "two.example"}}],
)


def _with_filters(parts: tuple[Raw, list[Raw]]) -> Raw:
    return {**parts[0], "filters": parts[1]} if parts[1] else parts[0]


rules = st.fixed_dictionaries(
    {
        "matches": _few(
            _maybe(
                path=_choice(
                    {"value": "/a"},
                    {"type": "Exact", "value": "/b"},
                    {"type": "RegularExpression", "value": "/[a"},
                ),
                method=_choice("GET"),
            )
        ),
        "filters": filters,
    },
    optional={
        "backendRefs": _few(st.tuples(backend_refs, filters).map(_with_filters)),
        "retry": st.just({"codes": [503], "attempts": 2}),
        "sessionPersistence": st.just({"cookie": {"name": "s"}}),
    },
)

http_routes = st.fixed_dictionaries(
    {
        "spec": st.fixed_dictionaries(
            {
                "parentRefs": st.lists(parent_refs, min_size=1, max_size=2),
                "rules": _few(rules, least=1),
            },
            optional={"hostnames": _few(_choice("one.example", "*.example", "a.one.example"))},
        )
    }
)

grants = st.fixed_dictionaries(
    {
        "spec": st.fixed_dictionaries(
            {
                "from": st.just(
                    [
                        {"group": GATEWAY_API, "kind": "HTTPRoute", "namespace": namespace}
                        for namespace in NAMESPACES
                    ]
                ),
                "to": _choice(
                    [{"group": "", "kind": "Service"}],
                    [{"group": ISTIO, "kind": "ServiceEntry", "name": "x"}],
                ),
            }
        )
    }
)

data = st.fixed_dictionaries({"data": st.just({"k": "dg=="})})
config_maps = st.one_of(
    data,
    st.just(
        {
            "labels": {"serai.dev/rate-limits": "true"},
            "data": {"k": "{domain: d, descriptors: [{key: k, rate_limit: {unit: day}}]}"},
        }
    ),
)

_targets = st.one_of(
    st.fixed_dictionaries(
        {"group": st.just("networking.istio.io"), "kind": st.just("ServiceEntry")}
    ),
    st.fixed_dictionaries({"group": st.just(""), "kind": st.just("Service")}),
    st.fixed_dictionaries(
        {
            "group": st.just("gateway.networking.k8s.io"),
            "kind": st.sampled_from(["Gateway", "HTTPRoute"]),
        }
    ),
)

_named_targets = st.builds(
    lambda target, name: {**target, "name": name}, _targets, st.sampled_from(NAMES)
)

traffic_policies = st.fixed_dictionaries(
    {
        "spec": st.fixed_dictionaries(
            {},
            optional={
                "targetRefs": st.lists(_named_targets, max_size=2),
                "targetSelectors": st.lists(_targets, max_size=1),
                "timeouts": st.fixed_dictionaries({"request": st.sampled_from(["1s", "no"])}),
                "retry": st.just({"retryOn": ["5xx"], "attempts": 2}),
                "buffer": st.sampled_from([{"maxRequestSize": "1Mi"}, {"maxRequestSize": "huge"}]),
                "headerModifiers": st.sampled_from(
                    [
                        {"request": {"set": [{"name": "x-a", "value": "1"}]}},
                        {"request": {"set": [{"name": "x-a", "secretRef": {"name": "x"}}]}},
                    ]
                ),
                "cors": st.just({"allowOrigins": ["https://shop.example"]}),
                "acl": st.just({"defaultAction": "allow"}),
                "apiKeyAuth": st.sampled_from(
                    [
                        {"secretRef": {"name": "x"}},
                        {"secretSelector": {"matchLabels": {"app": "a"}}},
                    ]
                ),
                "statPrefix": st.just("{{route_name}}"),
                "transformation": st.just(
                    {"request": {"set": [{"name": "x-a", "value": "{{ header('x-b') }}"}]}}
                ),
                "extProc": st.just({"extensionRef": {"name": "x"}}),
                "oauth2": st.just({"extensionRef": {"name": "x"}}),
                "basicAuth": st.just({"secretRef": {"name": "x"}}),
                "rbac": st.just({"policy": {"matchExpressions": ["request.method == 'GET'"]}}),
                "jwtAuth": st.sampled_from(
                    [{"extensionRef": {"name": "x"}}, {"extensionRef": {"name": "y"}}]
                ),
                "rateLimit": st.sampled_from(
                    [
                        {"local": {"tokenBucket": {"maxTokens": 9, "fillInterval": "1s"}}},
                        {
                            "global": {
                                "extensionRef": {"name": "x"},
                                "descriptors": [{"entries": [{"type": "RemoteAddress"}]}],
                            }
                        },
                        {"global": {"disable": {}}},
                    ]
                ),
            },
        )
    }
)

_rules = st.fixed_dictionaries(
    {},
    optional={
        "from": st.just([{"source": {"principals": ["*"], "notNamespaces": ["red"]}}]),
        "to": st.just([{"operation": {"paths": ["/a/{**}"], "methods": ["GET"]}}]),
        "when": st.sampled_from(
            [[{"key": "source.ip", "values": ["10.0.0.0/8"]}], [{"key": "x", "values": ["y"]}]]
        ),
    },
)

authorization_policies = st.fixed_dictionaries(
    {
        "spec": st.fixed_dictionaries(
            {"action": st.sampled_from(["ALLOW", "DENY", "AUDIT", "CUSTOM", "NONE"])},
            optional={
                "targetRefs": st.lists(_named_targets, max_size=2),
                "rules": st.lists(_rules, max_size=2),
                "provider": st.fixed_dictionaries({"name": st.sampled_from(NAMES)}),
            },
        )
    }
)

gateway_extensions = st.fixed_dictionaries(
    {
        "spec": st.fixed_dictionaries(
            {
                "extAuth": st.fixed_dictionaries(
                    {"grpcService": st.just({"backendRef": {"name": "x", "port": 80}})}
                ),
                "extProc": st.just({"grpcService": {"backendRef": {"name": "x", "port": 80}}}),
            },
            optional={
                "rateLimit": st.sampled_from(
                    [
                        {"domain": "d"},
                        {
                            "domain": "d",
                            "failOpen": False,
                            "grpcService": {"backendRef": {"name": "x", "port": 80}},
                        },
                    ]
                ),
                "oauth2": st.just(
                    {
                        "backendRef": {"name": "x", "port": 80},
                        "authorizationEndpoint": "https://x.example/a",
                        "tokenEndpoint": "https://x.example/t",
                        "credentials": {"clientID": "x", "clientSecretRef": {"name": "x"}},
                    }
                ),
            },
        )
    }
)


direct_responses = st.fixed_dictionaries(
    {
        "spec": st.sampled_from(
            [
                {"status": 418, "body": "teapot"},
                {"status": 200, "bodyFormat": {"text": "%PROTOCOL%"}},
                {"status": 204},
            ]
        )
    }
)

_http_settings = st.fixed_dictionaries(
    {},
    optional={
        "serverName": st.sampled_from(["a", "b"]),
        "healthCheck": st.sampled_from([{"path": "/ok"}, {"path": "not"}]),
        "accessLog": st.sampled_from(
            [
                [],
                [{"fileSink": {"path": "/dev/stdout", "stringFormat": "%PROTOCOL%"}}],
                [{"grpcService": {"logName": "l", "backendRef": {"name": "x", "port": 80}}}],
                [{"fileSink": {"path": "/dev/stdout", "stringFormat": "%NO%"}}],
            ]
        ),
        "idleTimeout": st.just("1h"),
    },
)

_listener_configs = st.fixed_dictionaries(
    {}, optional={"httpSettings": _http_settings, "perConnectionBufferLimitBytes": st.just(4096)}
)

listener_policies = st.fixed_dictionaries(
    {
        "spec": st.fixed_dictionaries(
            {},
            optional={
                "targetRefs": st.lists(_named_targets, max_size=2),
                "targetSelectors": st.lists(_targets, max_size=1),
                "default": _listener_configs,
                "perPort": st.lists(
                    st.fixed_dictionaries({"port": st.just(80), "listener": _listener_configs}),
                    max_size=1,
                ),
            },
        )
    }
)

http_listener_policies = st.builds(
    lambda settings, refs: {"spec": {**settings, "targetRefs": refs}},
    _http_settings,
    st.lists(_named_targets, max_size=2),
)

gateway_parameters: st.SearchStrategy[Raw] = st.one_of(
    st.just({"spec": {"selfManaged": {}}}),
    st.builds(
        lambda kube: {"spec": {"kube": kube}},
        _maybe(
            deployment=_maybe(replicas=_choice(0, 2)),
            service=_maybe(type=_choice("NodePort", "ClusterIP", "ExternalName")),
            podTemplate=_maybe(extraLabels=_choice({"a": "b"}, {"a": "c"})),
        ),
    ),
)

BODIES: dict[str, st.SearchStrategy[Raw]] = {
    "Namespace": namespaces,
    "Node": nodes,
    "Service": services,
    "Pod": pods,
    "Secret": data,
    "ConfigMap": config_maps,
    "EndpointSlice": endpoint_slices,
    "GatewayClass": gateway_classes,
    "HTTPRoute": http_routes,
    "ListenerSet": listener_sets,
    "XMesh": meshes,
    "ReferenceGrant": grants,
    "ServiceEntry": service_entries,
    "WorkloadEntry": workload_entries,
    "TrafficPolicy": traffic_policies,
    "GatewayExtension": gateway_extensions,
    "GatewayParameters": gateway_parameters,
    "DirectResponse": direct_responses,
    "ListenerPolicy": listener_policies,
    "HTTPListenerPolicy": http_listener_policies,
    "AuthorizationPolicy": authorization_policies,
}
