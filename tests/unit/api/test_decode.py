"""decode: every fault of a manifest is told with its path and a remedy, and never raises."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serai.api import core, networking
from serai.api.decode import decode
from serai.api.httproute import HTTPRoute
from serai.api.meta import Key
from serai.api.problem import Problem

ISTIO = "networking.istio.io/v1"
GATEWAY = "gateway.networking.k8s.io/v1"


def manifest(api_version: str, kind: str, spec: Any = None, /, **metadata: Any) -> dict[str, Any]:
    raw = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", **metadata}}
    return raw if spec is None else {**raw, "spec": spec}


def service(**port: Any) -> dict[str, Any]:
    return manifest("v1", "Service", {"ports": [{"port": 80, **port}]})


def only(raw: Any) -> Problem:
    problems = decode(raw).problems
    assert len(problems) == 1, problems
    assert problems[0].remedy
    return problems[0]


def refused(raw: Any) -> Problem:
    assert decode(raw).object is None
    problem = only(raw)
    assert problem.severity == "error"
    return problem


def accepted(raw: Any) -> Problem:
    assert decode(raw).object is not None, decode(raw).problems
    problem = only(raw)
    assert problem.severity == "warning"
    return problem


def test_a_sound_object_is_decoded_without_a_word() -> None:
    decoded = decode(service(name="http"))
    assert decoded.problems == ()
    assert isinstance(decoded.object, core.Service)
    assert decoded.key == decoded.object.key == Key("Service", "default", "x")


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha3"])
def test_served_versions_are_one_kind(version: str) -> None:
    raw = manifest(f"networking.istio.io/{version}", "ServiceEntry", {"hosts": ["a.b"]})
    assert isinstance(decode(raw).object, networking.ServiceEntry)


def test_a_version_that_was_never_served() -> None:
    raw = manifest("gateway.networking.k8s.io/v2", "Gateway", {"gatewayClassName": "x"})
    problem = refused(raw)
    assert (problem.code, problem.path) == ("SER0009", "apiVersion")
    assert "v1, v1beta1, v1alpha2" in problem.message
    assert decode(raw).key == Key("Gateway", "default", "x")


@pytest.mark.parametrize(
    ("api_version", "kind", "meant"),
    [
        ("v1", "Servce", "v1 Service"),
        ("v1", "HTTPRoute", f"{GATEWAY} HTTPRoute"),
        ("apps/v1", "Service", "v1 Service"),
        ("networking.istio/v1", "ServiceEntry", f"{ISTIO} ServiceEntry"),
        ("networking.istio.io/v1", "ServiceEntries", f"{ISTIO} ServiceEntry"),
        ("gateway.k8s.io/v1", "HTTPRoute", f"{GATEWAY} HTTPRoute"),
    ],
)
def test_a_type_close_to_one_of_ours_is_an_error(api_version: str, kind: str, meant: str) -> None:
    problem = refused(manifest(api_version, kind))
    assert problem.code == "SER0002"
    assert problem.remedy == f"Did you mean {meant}?"


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("apps/v1", "Deployment"),
        ("v1", "ServiceAccount"),
        ("networking.istio.io/v1", "VirtualService"),
        ("networking.istio.io/v1", "Gateway"),
        ("serving.knative.dev/v1", "Service"),
        ("networking.k8s.io/v1", "Ingress"),
        ("example.com/v1", "Widget"),
    ],
)
def test_a_kind_of_somebody_else_is_a_warning(api_version: str, kind: str) -> None:
    decoded = decode(manifest(api_version, kind))
    assert decoded.object is None
    problem = only(manifest(api_version, kind))
    assert (problem.code, problem.severity) == ("SER0008", "warning")


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (None, "SER0006"),
        ([], "SER0006"),
        ("text", "SER0006"),
        ({}, "SER0002"),
        ({"kind": "Service"}, "SER0002"),
        ({"apiVersion": 1, "kind": "Service"}, "SER0002"),
    ],
)
def test_what_is_no_object(raw: Any, code: str) -> None:
    assert refused(raw).code == code


def test_a_misspelt_field_names_the_nearest() -> None:
    problem = refused(service(prot=443))
    assert (problem.code, problem.path) == ("SER0005", "spec.ports[0].prot")
    assert problem.remedy == "Did you mean port?"
    assert problem.key == Key("Service", "default", "x")


def test_case_does_not_matter_for_the_nearest_name() -> None:
    raw = manifest("v1", "Service", {"clusterIp": "None", "ports": [{"port": 1}]})
    assert refused(raw).remedy == "Did you mean clusterIP?"


def test_a_misspelt_required_field_is_told_once() -> None:
    raw = manifest("v1", "Service", {"ports": [{"prt": 80}]})
    assert refused(raw).remedy == "Did you mean port?"


def test_a_field_at_the_wrong_level_is_told_where_it_belongs() -> None:
    raw = {**manifest(ISTIO, "WorkloadEntry", {"address": "10.0.0.1"}), "locality": "a/b"}
    assert refused(raw).remedy == "locality belongs in spec."


def test_fields_of_pods_that_are_not_read_are_still_checked() -> None:
    container = {"name": "a", "image": "b", "imagePullPolcy": "Always"}
    problem = refused(manifest("v1", "Pod", {"containers": [container]}))
    assert problem.remedy == "Did you mean imagePullPolicy?"


def test_fields_that_say_nothing_about_traffic_pass_without_a_word() -> None:
    container = {"name": "a", "image": "b", "resources": {"limits": {"cpu": 1}}}
    raw = manifest("v1", "Pod", {"containers": [container], "restartPolicy": "Never"})
    assert decode(raw).problems == ()


def test_wrong_types_name_path_expected_and_found() -> None:
    raw = manifest("v1", "Service", {"ports": [{"port": "80"}], "selector": ["a"]})
    texts = [(p.code, p.path, p.message) for p in decode(raw).problems]
    assert texts == [
        (
            "SER0006",
            "spec.ports[0].port",
            'spec.ports[0].port must be a whole number, but is a string: "80"',
        ),
        ("SER0006", "spec.selector", "spec.selector must be a map, but is a list"),
    ]


def test_a_boolean_is_not_a_number() -> None:
    assert refused(service(targetPort=True)).code == "SER0006"


def test_a_value_outside_of_its_choices() -> None:
    problem = refused(service(protocol="tcp"))
    assert (problem.code, problem.path) == ("SER0102", "spec.ports[0].protocol")
    assert problem.remedy == "Did you mean TCP?"


def test_labels_must_be_strings() -> None:
    problem = refused(manifest("v1", "Namespace", labels={"version": 1.2}))
    assert problem.path == "metadata.labels.version"
    assert problem.remedy == "Put the value in quotes."


def test_nulls_are_absent_fields() -> None:
    raw = manifest("v1", "Service", {"ports": None, "selector": {"a": None}}, labels=None)
    raw["metadata"]["creationTimestamp"] = None
    decoded = decode(raw)
    assert isinstance(decoded.object, core.Service) and not decoded.problems
    assert decoded.object.spec == core.ServiceSpec(selector={"a": ""})


def test_known_but_not_implemented_is_a_warning() -> None:
    raw = service()
    raw["spec"]["sessionAffinity"] = "ClientIP"
    problem = accepted(raw)
    assert (problem.code, problem.path) == ("SER0007", "spec.sessionAffinity")
    assert "not implemented" in problem.message


@pytest.mark.parametrize(
    "spec",
    [
        {"sessionAffinity": "None"},
        {"internalTrafficPolicy": "Cluster"},
        {"externalTrafficPolicy": "Cluster"},
        {"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"},
        {"externalIPs": []},
        {"clusterIPs": ["10.0.0.1"], "clusterIP": "10.0.0.1", "type": "ClusterIP"},
    ],
)
def test_what_the_api_server_fills_in_is_no_warning(spec: dict[str, Any]) -> None:
    raw = manifest("v1", "Service", spec, uid="u", resourceVersion="1", managedFields=[{}])
    assert decode({**raw, "status": {"loadBalancer": {}}}).problems == ()


def test_defaults_of_routes_are_no_warning() -> None:
    parent = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "g"}
    backend = {"group": "", "kind": "Service", "name": "s", "port": 80, "weight": 1}
    match = {"path": {"type": "PathPrefix", "value": "/"}}
    raw = manifest(
        GATEWAY,
        "HTTPRoute",
        {"parentRefs": [parent], "rules": [{"matches": [match], "backendRefs": [backend]}]},
    )
    assert decode(raw).problems == ()
    assert isinstance(decode(raw).object, HTTPRoute)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Service", "a.b"),
        ("Service", "A"),
        ("Service", "x" * 64),
        ("Namespace", "a.b"),
        ("Pod", "-a"),
        ("Pod", "a" * 254),
        ("Pod", "a..b"),
        ("ConfigMap", ""),
    ],
)
def test_names_that_kubernetes_refuses(kind: str, name: str) -> None:
    assert refused(manifest("v1", kind, name=name)).path == "metadata.name"


def test_a_name_is_required() -> None:
    raw = {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "x-"}}
    assert refused(raw).path == "metadata.name"
    assert decode(raw).key is None


def test_metadata_is_required() -> None:
    assert refused({"apiVersion": "v1", "kind": "Pod"}).path == "metadata"


def test_a_namespace_must_be_a_label() -> None:
    assert refused(manifest("v1", "Pod", namespace="a.b")).path == "metadata.namespace"


def test_a_namespace_on_a_cluster_scoped_kind_is_ignored() -> None:
    raw = manifest("v1", "Node", namespace="shop")
    assert accepted(raw).code == "SER0012"
    decoded = decode(raw)
    assert decoded.object and decoded.object.key == decoded.key == Key("Node", "", "x")


@pytest.mark.parametrize("labels", [{"a b": "c"}, {"a": "-"}, {"/a": "b"}, {"a": "b" * 64}])
def test_labels_that_kubernetes_refuses(labels: dict[str, str]) -> None:
    assert refused(manifest("v1", "Pod", labels=labels)).code == "SER0102"


def test_annotations_may_hold_anything() -> None:
    raw = manifest("v1", "Pod", annotations={"example.com/a": "{x: y}\n" * 100})
    assert decode(raw).problems == ()


def test_the_values_of_a_secret_are_never_told() -> None:
    raw = {**manifest("v1", "Secret"), "data": {"password": 12345678}}
    problem = refused(raw)
    assert "12345678" not in problem.message + problem.remedy


def test_many_faults_in_one_object_are_counted_not_listed() -> None:
    raw = manifest("v1", "Service", {f"wrong{n}": n for n in range(5000)})
    problems = decode(raw).problems
    assert len(problems) == 21
    assert problems[-1].message == "and 4980 more problems in this object"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["spec", "metadata", "name", "ports", "port", "hosts", "x"]), inner
        )
    ),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["v1", ISTIO, GATEWAY, "discovery.k8s.io/v1"]),
    st.sampled_from(["Service", "Pod", "Secret", "ServiceEntry", "HTTPRoute", "EndpointSlice"]),
    st.dictionaries(st.sampled_from(["spec", "metadata", "status", "data", "ports"]), JSON),
)
def test_nothing_makes_it_raise(api_version: str, kind: str, rest: dict[str, Any]) -> None:
    decoded = decode({"apiVersion": api_version, "kind": kind, **rest})
    assert (decoded.object is None) == any(
        p.severity == "error" or p.code == "SER0008" for p in decoded.problems
    )
    assert all(p.message and p.remedy for p in decoded.problems)
