"""The Helm chart: it says what the kustomize bases say, and refuses what means nothing."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from kube import assets
from kube.manifests import NAMESPACE
from kube.rendered import CHART, SPACE, dry_run, helm, kustomize, objects, plain, refused
from serai.kube.access import Access, ApiError

PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution[0]"
ALL = (
    "rateLimit.enabled=true",
    "rateLimit.replicas=2",
    "rateLimit.redisSecret.name=redis",
    "rateLimit.redisSecret.key=url",
    "rateLimit.window=sliding",
    "podMonitor.create=true",
    "podMonitor.interval=15s",
    "podMonitor.labels.release=prometheus",
    "imagePullSecrets[0].name=registry",
    "image.pullPolicy=Always",
    "networkPolicy.xdsFrom[0].ipBlock.cidr=10.0.0.0/8",
    "networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.name=monitoring",
    "nodeSelector.pool=infra",
    "tolerations[0].operator=Exists",
    f"affinity.nodeAffinity.{PREFERRED}.weight=1",
    f"affinity.nodeAffinity.{PREFERRED}.preference.matchExpressions[0].key=a",
    f"affinity.nodeAffinity.{PREFERRED}.preference.matchExpressions[0].operator=Exists",
    "topologySpreadConstraints[0].maxSkew=2",
    "topologySpreadConstraints[0].topologyKey=zone",
    "topologySpreadConstraints[0].whenUnsatisfiable=DoNotSchedule",
    "priorityClassName=system-cluster-critical",
    "resources.limits.memory=1Gi",
    "serviceAccount.annotations.a=b",
    "labels.team=mesh",
    "annotations.c=d",
    "podLabels.e=f",
    "podAnnotations.g=h",
    "proxy.replicas=3",
    "xds.certificateSecret=xds-tls",
    "env[0].name=SERAI_CLUSTER_NAMES",
    "env[0].value=istio",
)
"""Every optional part at once."""


@pytest.mark.parametrize(
    ("base", "values"), [("base", ()), ("rate-limits", ("rateLimit.enabled=true",))]
)
def test_chart_and_base_install_the_same(base: str, values: tuple[str, ...]) -> None:
    chart, kustomized = plain(objects(helm(*values))), plain(objects(kustomize(base)))
    assert chart.keys() == kustomized.keys()
    for key, doc in chart.items():
        assert doc == kustomized[key], key


@pytest.fixture
async def space(admin: Access) -> str:
    """The namespace, which a dry run does not make."""
    try:
        await admin.create(NAMESPACE, "", {"metadata": {"name": SPACE}})
    except ApiError as error:
        assert error.status == 409, error  # noqa: PT017
    return SPACE


@pytest.mark.parametrize("folder", ["base", "rate-limits"])
def test_an_api_server_takes_the_bases(api: assets.ApiServer, space: str, folder: str) -> None:
    said = dry_run(kustomize(folder), api.kubeconfig_file())
    assert f"namespace/{space} serverside-applied (server dry run)" in said


@pytest.mark.parametrize("values", [(), ALL], ids=["defaults", "all"])
def test_an_api_server_takes_the_chart(
    api: assets.ApiServer, space: str, values: tuple[str, ...]
) -> None:
    found = objects(helm(*values, space=space)).values()
    # Its CRD is of somebody else.
    docs = [doc for doc in found if doc["kind"] != "PodMonitor"]
    said = dry_run(yaml.safe_dump_all(docs), api.kubeconfig_file())
    assert len(said.splitlines()) == len(docs)
    assert "deployment.apps/serai-controller serverside-applied (server dry run)" in said


def test_a_release_of_another_name_has_nothing_of_the_first() -> None:
    found = objects(helm(*ALL, release="canary", space="elsewhere"))
    first = objects(helm(*ALL))
    shared = {key for key in found if key in first}
    assert {kind for kind, _, _ in shared} == {"GatewayClass"}
    # Lease and Secret are one for each namespace, whatever the release is called.
    text = helm(*ALL, "classes.create=false", release="canary", space="elsewhere")
    assert "serai-system" not in text
    assert [
        line.strip() for line in text.splitlines() if "serai-" in line and "helm.sh" not in line
    ] == ["resourceNames: [serai-controller]", "resourceNames: [serai-xds]"]


def environment(*values: str) -> dict[str, str]:
    deployment = objects(helm(*values))["Deployment", SPACE, "serai-controller"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each.get("value", "") for each in container["env"]}


@pytest.mark.parametrize(
    ("value", "name", "told"),
    [
        ("revision=canary", "SERAI_REVISION", "canary"),
        ("clusterDomain=corp.example", "SERAI_CLUSTER_DOMAIN", "corp.example"),
        ("trustDomain=corp.example", "SERAI_TRUST_DOMAIN", "corp.example"),
        ("logLevel=info\\,xds=debug", "SERAI_LOG_LEVEL", "info,xds=debug"),
        ("xds.tls=false", "SERAI_XDS_TLS", "none"),
        ("xds.certificateSecret=tls", "SERAI_XDS_TLS", "/etc/serai/xds"),
        ("xds.host=xds.corp.example", "SERAI_XDS_HOST", "xds.corp.example"),
        ("proxy.image=envoy:1", "SERAI_PROXY_IMAGE", "envoy:1"),
        ("proxy.replicas=3", "SERAI_PROXY_REPLICAS", "3"),
        (
            "discoveryNamespaceSelectors[0].matchLabels.mesh=true-ly",
            "SERAI_DISCOVERY_NAMESPACE_SELECTORS",
            '[{"matchLabels":{"mesh":"true-ly"}}]',
        ),
        (
            "rateLimit.enabled=true",
            "SERAI_RATE_LIMIT_SERVICE",
            "serai-ratelimit.serai-system.svc.cluster.local:8081",
        ),
    ],
)
def test_a_value_reaches_the_controller(value: str, name: str, told: str) -> None:
    assert environment()[name] != told if name in environment() else True
    assert environment(value)[name] == told


def test_without_deploying_there_is_no_right_to() -> None:
    found = objects(helm("proxy.deploy=false"))
    assert not {"serai-deployer"} & {name for _, _, name in found}
    assert "SERAI_PROXY_IMAGE" not in environment("proxy.deploy=false")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("classes.create=false", "GatewayClass"),
        ("podDisruptionBudget.create=false", "PodDisruptionBudget"),
        ("networkPolicy.create=false", "NetworkPolicy"),
    ],
)
def test_what_is_not_wanted_is_not_there(value: str, kind: str) -> None:
    assert kind in {key[0] for key in objects(helm())}
    assert kind not in {key[0] for key in objects(helm(value))}


def test_metrics_of_both_are_collected_where_asked_for() -> None:
    assert "PodMonitor" not in {key[0] for key in objects(helm())}
    found = objects(helm(*ALL))
    monitor = found["PodMonitor", SPACE, "serai"]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    (selected,) = monitor["spec"]["selector"]["matchExpressions"]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    deployments = [doc["spec"]["template"] for key, doc in found.items() if key[0] == "Deployment"]
    assert sorted(selected["values"]) == sorted(d["metadata"]["labels"]["app"] for d in deployments)
    for each in deployments:
        (container,) = each["spec"]["containers"]
        assert endpoint["port"] in {port["name"] for port in container["ports"]}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("replica=3", "additional properties 'replica' not allowed"),
        ("replicas=0", "at '/replicas': minimum: got 0, want 1"),
        ("image.tag=a/b", "at '/image/tag'"),
        ("image.digest=sha256:1", "at '/image/digest'"),
        ("image.pullPolicy=Sometimes", "at '/image/pullPolicy'"),
        ("rateLimit.replicas=2", "at '/rateLimit/redisSecret': missing property 'name'"),
        ("rateLimit.redisSecret.name=redis", "at '/rateLimit/redisSecret'"),
        ("discoveryNamespaceSelectors[0].matchLabel.a=b", "'matchLabel' not allowed"),
        ("resources.limits.memory=1gigs", "at '/resources/limits/memory'"),
        ("proxy.replicas=x", "at '/proxy/replicas'"),
        ("podDisruptionBudget.maxUnavailable=120%", "at '/podDisruptionBudget/maxUnavailable'"),
        ("networkPolicy.xdsFrom[0].cidr=10.0.0.0/8", "at '/networkPolicy/xdsFrom/0'"),
        ("logLevel=loud", "at '/logLevel'"),
        ("trustDomain=Corp", "at '/trustDomain'"),
        ("env[0].value=x", "at '/env/0': missing property 'name'"),
    ],
)
def test_values_that_mean_nothing_are_refused(value: str, said: str) -> None:
    told = refused(value)
    assert "values don't meet the specifications of the schema" in told
    assert said in told


def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
    return found


def default_values() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
    return found


def test_schema_and_values_have_the_same_keys() -> None:
    known = schema()["properties"]
    assert known.keys() - {"global"} == default_values().keys()
    for key, value in default_values().items():
        told = known[key]
        if "$ref" in told:
            told = schema()["definitions"][told["$ref"].rpartition("/")[2]]
        if isinstance(value, dict) and "properties" in told and key != "resources":
            assert told["properties"].keys() == value.keys(), key


def keys(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Each line with a key, after the one before it."""
    for before, line in pairwise(["", *lines]):
        if line.strip() and not line.lstrip().startswith("#"):
            yield before, line


def test_every_value_is_explained() -> None:
    lines = (CHART / "values.yaml").read_text().splitlines()
    unexplained = [line for before, line in keys(lines) if not before.lstrip().startswith("#")]
    assert unexplained == [
        "    requests: {cpu: 100m, memory: 128Mi}",
        "  requests: {cpu: 100m, memory: 256Mi}",
    ]


def test_the_chart_is_of_this_version() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == project["version"]
    assert chart["description"] == project["description"]
