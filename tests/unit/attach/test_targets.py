"""What targetRefs and targetSelectors mean, and what is said of those that mean nothing."""

from __future__ import annotations

from typing import Any

import pytest

from serai.api.decode import decode
from serai.api.meta import Key
from serai.attach.targets import (
    Target,
    TargetKey,
    TargetReference,
    Targets,
    TargetSelector,
    targets,
)
from serai.incremental import Graph, Node, Reader, mapped
from serai.model.catalog import catalog
from serai.model.inputs import Inputs
from serai.model.settings import Settings

POLICY = Key("TrafficPolicy", "shop", "limit")
ISTIO = "networking.istio.io"
GATEWAY = "gateway.networking.k8s.io"


def _entry(name: str, host: str, namespace: str = "shop", **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": f"{ISTIO}/v1",
        "kind": "ServiceEntry",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "hosts": [host],
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
            "resolution": "DYNAMIC_DNS" if "*" in host else "DNS",
        },
    }


WORLD: tuple[dict[str, Any], ...] = (
    _entry("partner", "api.partner.example", tier="gold"),
    _entry("any", "*.partner.example", tier="gold"),
    _entry("plain", "plain.example"),
    _entry("foreign", "foreign.example", namespace="other"),
    {
        "apiVersion": f"{GATEWAY}/v1",
        "kind": "Gateway",
        "metadata": {"name": "edge", "namespace": "shop"},
        "spec": {
            "gatewayClassName": "serai",
            "listeners": [{"name": "web", "port": 80, "protocol": "HTTP"}],
        },
    },
)


def _find(*asked: TargetReference | TargetSelector) -> tuple[Target, ...]:
    """What these mean in the world above, asked as a row of a collection would ask."""
    graph = Graph()
    inputs = Inputs(graph)
    known = catalog(graph, inputs, Settings())
    written = {"Gateway": inputs.gateways}
    lookup: Targets = targets(graph, known, written, inputs.gateway_classes, Settings())
    references = [each for each in asked if isinstance(each, TargetReference)]
    selectors = [each for each in asked if isinstance(each, TargetSelector)]

    def row(reader: Reader, _: Key, __: object) -> tuple[Target, ...]:
        return lookup.find(reader, POLICY, references, selectors)

    found: Node[Key, tuple[Target, ...]] = mapped(graph, "found", inputs.gateways, row)
    for each in WORLD:
        decoded = decode(each).object
        assert decoded is not None, decode(each).problems
        inputs.put(decoded.key, decoded)
    graph.commit()
    answer = found.row(Key("Gateway", "shop", "edge"))
    assert answer is not None, graph.failures
    return answer


def test_objects_sections_and_hosts_are_found() -> None:
    entry = Key("ServiceEntry", "shop", "partner")
    found = _find(
        TargetReference(ISTIO, "ServiceEntry", "partner"),
        TargetReference(ISTIO, "ServiceEntry", "partner", "http"),
        TargetReference(ISTIO, "ServiceEntry", "partner", "80"),
        TargetReference(ISTIO, "Hostname", "API.partner.example"),
        TargetReference(ISTIO, "Hostname", "other.partner.example"),
        TargetReference(GATEWAY, "Gateway", "edge", "web"),
    )

    assert [each.keys for each in found] == [
        (TargetKey(entry),),
        (TargetKey(entry, "http"),),
        (TargetKey(entry, "80"),),
        (TargetKey(entry, "", "api.partner.example"),),
        (TargetKey(Key("ServiceEntry", "shop", "any"), "", "*.partner.example"),),
        (TargetKey(Key("Gateway", "shop", "edge"), "web"),),
    ]


def test_a_selector_takes_what_has_all_its_labels() -> None:
    gold, none, all_ = _find(
        TargetSelector(ISTIO, "ServiceEntry", (("tier", "gold"),)),
        TargetSelector(ISTIO, "ServiceEntry", (("tier", "gold"), ("region", "eu"))),
        TargetSelector(ISTIO, "ServiceEntry"),
    )

    assert [key.object.name for key in gold.keys] == ["any", "partner"]
    assert none.verdict.reason == "TargetNotFound"
    assert [key.object.name for key in all_.keys] == ["any", "partner", "plain"]


@pytest.mark.parametrize(
    ("asked", "reason", "words"),
    [
        (TargetReference(ISTIO, "ServiceEntry", "gone"), "TargetNotFound", "does not exist"),
        (TargetReference(ISTIO, "ServiceEntry", "foreign"), "TargetNotFound", "does not exist"),
        (TargetReference(ISTIO, "ServiceEntry", "partner", "tls"), "TargetNotFound", "http, 80"),
        (TargetReference(ISTIO, "Hostname", "foreign.example"), "TargetNotFound", "has it"),
        (TargetReference("", "Secret", "key"), "Invalid", "is not a kind that policies apply to"),
        (TargetReference(ISTIO, "Service", "api"), "Invalid", "networking.istio.io/Service"),
        (TargetSelector(ISTIO, "Hostname"), "Invalid", "no labels"),
    ],
)
def test_what_means_nothing_says_why(
    asked: TargetReference | TargetSelector, reason: str, words: str
) -> None:
    (found,) = _find(asked)

    assert not found.verdict.ok
    assert found.verdict.reason == reason
    assert words in found.verdict.message
    assert found.keys == ()
