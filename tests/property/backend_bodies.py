"""What may stand in a manifest of each kind of policy for clusters, and of Backends."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from property.bodies import GATEWAY_API, HOSTS, ISTIO, NAMES, PORTS, Raw

KGATEWAY = "gateway.kgateway.dev"

_aims = st.one_of(
    st.just({"group": ISTIO, "kind": "ServiceEntry"}),
    st.just({"group": "", "kind": "Service"}),
    st.just({"group": KGATEWAY, "kind": "Backend"}),
    st.just({"group": GATEWAY_API, "kind": "HTTPRoute"}),
)
_named = st.one_of(
    st.builds(lambda aim, name: {**aim, "name": name}, _aims, st.sampled_from(NAMES)),
    st.builds(
        lambda host: {"group": ISTIO, "kind": "Hostname", "name": host}, st.sampled_from(HOSTS)
    ),
)
_targets = st.lists(_named, min_size=1, max_size=2)


def _maybe(**fields: Any) -> st.SearchStrategy[Raw]:
    return st.fixed_dictionaries({}, optional={k: st.sampled_from(v) for k, v in fields.items()})


def _spec(required: dict[str, Any], **optional: Any) -> st.SearchStrategy[Raw]:
    found = {name: st.sampled_from(values) for name, values in optional.items()}
    return st.fixed_dictionaries({"spec": st.fixed_dictionaries(required, optional=found)})


_check = {"timeout": "1s", "interval": "2s", "unhealthyThreshold": 1, "healthyThreshold": 1}

backend_configs = _spec(
    {"targetRefs": _targets},
    healthCheck=[{**_check, "http": {"path": "/"}}, {**_check, "grpc": {}}, {**_check, "tcp": {}}],
    outlierDetection=[{}, {"consecutive5xx": 0}],
    circuitBreakers=[{"maxConnections": 5}, {"maxRetries": 0}],
    connectTimeout=["1s"],
    loadBalancer=[
        {"random": {}},
        {"random": {}, "zoneAware": {"preferLocal": {"minEndpointsThreshold": 1}}},
        {"maglev": {"hashPolicies": [{"sourceIP": {}}]}},
    ],
    tls=[{"insecureSkipVerify": True}, {"secretRef": {"name": "x"}}],
)

backend_tls_policies = _spec(
    {
        "targetRefs": st.lists(
            st.builds(
                lambda target, section: {**target, **section},
                _named,
                _maybe(sectionName=["http", "80"]),
            ),
            min_size=1,
            max_size=2,
        ),
        "validation": st.sampled_from(
            [
                {"hostname": "one.example", "wellKnownCACertificates": "System"},
                {
                    "hostname": "two.example",
                    "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "x"}],
                },
            ]
        ),
    }
)

backend_traffic_policies = _spec(
    {"targetRefs": _targets},
    retryConstraint=[{}, {"budget": {"percent": 50}}],
    sessionPersistence=[{"cookie": {"name": "kept"}}, {"type": "Header", "header": {"name": "x"}}],
)

_traffic: list[Raw] = [
    {"tls": {"mode": "SIMPLE"}},
    {"tls": {"mode": "ISTIO_MUTUAL"}},
    {"outlierDetection": {"consecutive5xxErrors": 2}, "connectionPool": {"tcp": {}}},
    {"portLevelSettings": [{"port": {"number": number}} for number in PORTS]},
    {"loadBalancer": {"consistentHash": {"httpHeaderName": "x-user"}}},
    {"loadBalancer": {"backendUtilization": {}}},
    {"loadBalancer": {"zoneAwareLbSetting": {"minClusterSize": 1}}},
    {"tunnel": {"targetHost": "far.example", "targetPort": 443}},
]

destination_rules = _spec(
    {"host": st.sampled_from([*HOSTS, *NAMES, "*"])},
    trafficPolicy=_traffic,
    exportTo=[["."], ["*"], ["red"]],
    workloadSelector=[{"matchLabels": {"app": "a"}}],
    subsets=[[{"name": "v1", "labels": {"app": "a"}}]],
)

backends = st.fixed_dictionaries(
    {
        "spec": st.sampled_from(
            [
                {"static": {"hosts": [{"host": "127.1.0.1", "port": 80}]}},
                {"static": {"hosts": [{"host": "a.example", "port": 80}]}},
                {"dynamicForwardProxy": {}},
                {"priorityGroups": [{"backendRefs": [{"name": name}]} for name in NAMES]},
                {"gcp": {"host": "a.run.app"}},
            ]
        )
    }
)

xbackends = _spec(
    {
        "type": st.just("ExternalHostname"),
        "externalHostname": st.just({"hostname": "a.example"}),
        "port": st.just({"port": 443}),
    },
    protocol=["TCP", "H2C"],
    tls=[
        {"mode": "None"},
        {
            "mode": "ServerOnly",
            "validation": {"hostname": "a.example", "wellKnownCACertificates": "System"},
        },
        {"mode": "ClientAndServer", "clientCertificateRef": {"name": "x"}},
    ],
)

BACKEND_BODIES: dict[str, st.SearchStrategy[Raw]] = {
    "BackendConfigPolicy": backend_configs,
    "BackendTLSPolicy": backend_tls_policies,
    "XBackendTrafficPolicy": backend_traffic_policies,
    "DestinationRule": destination_rules,
    "Backend": backends,
    "XBackend": xbackends,
}
