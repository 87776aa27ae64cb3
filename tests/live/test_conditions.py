"""Expressions of rbac, each in Envoy and in `trace`, which must say what the table says."""

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

NONE: Raw = {}
A = {"x-a": "1"}

CONDITIONS: list[tuple[str, list[Raw], list[Raw]]] = [
    ("true", [NONE], []),
    ("false", [], [NONE]),
    ("request.method == 'GET'", [NONE], []),
    ("request.method in ['PUT', 'POST']", [], [NONE]),
    ("request.headers['x-a'] == '1'", [A], [NONE, {"x-a": "2"}]),
    ("request.headers['X-A'] == '1'", [A], [NONE]),
    ("'X-A' in request.headers", [A], [NONE]),
    ("'x-a' in request.headers", [A], [NONE]),
    ("!('x-a' in request.headers)", [NONE], [A]),
    ("has(request.headers.accept)", [{"accept": "*/*"}], [NONE]),
    ("request.headers['x-a'] == '1' || request.method == 'GET'", [NONE, A], []),
    ("request.headers['x-a'] == '1' && request.method == 'PUT'", [], [NONE, A]),
    ("request.headers['x-a'] != '1'", [{"x-a": "2"}], [NONE, A]),
    ("request.path.startsWith('/')", [NONE], []),
    ("request.path.endsWith('?q=1')", [NONE], []),
    ("request.url_path.matches('^/[0-9]+$')", [NONE], []),
    ("request.url_path.matches('^/x')", [], [NONE]),
    ("request.query == 'q=1'", [NONE], []),
    ("request.host == 'vendor.example'", [NONE], []),
    ("request.host.contains('vendor')", [NONE], []),
    ("size(request.headers['x-a']) > 1", [{"x-a": "12"}], [A, NONE]),
    ("int(request.headers['x-a']) < 10", [A], [{"x-a": "11"}, {"x-a": "no"}, NONE]),
    ("request.headers['x-a'] == '1' ? true : false", [A], [{"x-a": "2"}, NONE]),
    ("request.headers[':method'] == 'GET'", [NONE], []),
    ("request.headers[':authority'] == 'vendor.example'", [NONE], []),
    ("{'1': true}[request.headers['x-a']]", [A], [NONE, {"x-a": "2"}]),
]
"""An expression, headers of requests that it is true of, and of those that it is not true of."""

UNKNOWN = [
    "request.time > timestamp('2020-01-01T00:00:00Z')",
    "source.address.startsWith('127.')",
    "request.protocol == 'HTTP/1.1'",
    "request.scheme == 'http'",
]
"""What Envoy knows and finds true, and a trace says that it cannot know."""

WRONG = [
    "request.",
    "nobody.knows == 'x'",
    "'text'",
    "request.headers.exists(name, name == 'x-a')",
    "string(request.size) == '0'",
    "request.path.matches('(')",
    "request.headers['x-a'] + '2' == '12'",
    "request.nothing == 'x'",
    "response.code == 200",
]
"""What lets nobody in."""


def _world() -> tuple[list[Raw], list[Raw]]:
    entry = {"group": "networking.istio.io", "kind": "ServiceEntry", "name": "vendor"}
    meta = {"name": "vendor", "namespace": "shop"}
    rules, policies, requests = [], list[Raw](), list[Raw]()
    listed = [
        *CONDITIONS,
        *((each, [NONE], []) for each in UNKNOWN),
        *((each, [], [NONE]) for each in WRONG),
    ]
    for number, (expression, true, other) in enumerate(listed):
        rules.append(
            {
                "name": f"r{number}",
                "matches": [{"path": {"type": "Exact", "value": f"/{number}"}}],
                "backendRefs": [{**entry, "port": 80}],
            }
        )
        policies.append(_policy(f"r{number}", expression))
        for status, headers in [(200, each) for each in true] + [(403, each) for each in other]:
            url = f"http://vendor.example/{number}?q=1"
            requests.append({"get": url, "headers": headers, "expect": {"status": status}})
    world: list[Raw] = [
        _object("v1", "Namespace", {"name": "shop", "labels": {"istio.io/use-waypoint": "w"}}),
        _object(
            "gateway.networking.k8s.io/v1",
            "Gateway",
            {"name": "w", "namespace": "shop"},
            {"gatewayClassName": "serai-waypoint"},
        ),
        _object(
            "networking.istio.io/v1",
            "ServiceEntry",
            meta,
            {
                "hosts": ["vendor.example"],
                "addresses": ["10.76.1.1"],
                "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
                "resolution": "STATIC",
                "endpoints": [{"address": "127.76.1.1", "ports": {"http": 8080}}],
            },
        ),
    ]
    for part in range(0, len(rules), 16):
        spec = {"parentRefs": [entry], "rules": rules[part : part + 16]}
        named = {"name": f"vendor-{part}", "namespace": "shop"}
        world.append(_object("gateway.networking.k8s.io/v1", "HTTPRoute", named, spec))
        for policy in policies[part : part + 16]:
            policy["spec"]["targetRefs"][0]["name"] = f"vendor-{part}"
    return [*world, *policies], requests


def _policy(rule: str, expression: str) -> Raw:
    target = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "sectionName": rule}
    spec = {"targetRefs": [target], "rbac": {"policy": {"matchExpressions": [expression]}}}
    meta = {"name": rule, "namespace": "shop"}
    return _object("gateway.kgateway.dev/v1alpha1", "TrafficPolicy", meta, spec)


def _object(version: str, kind: str, metadata: Raw, spec: Raw | None = None) -> Raw:
    more = {"spec": spec} if spec else {}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


async def test_every_expression_is_true_of_what_the_table_says(tmp_path: Path) -> None:
    manifests, requests = _world()
    (tmp_path / "input.yaml").write_text("# why: expressions\n" + yaml.safe_dump_all(manifests))
    (tmp_path / "requests.yaml").write_text(yaml.safe_dump(requests))
    case = load(tmp_path)
    place, wrong = Place(), list[object]()
    async with live(case, tmp_path / "state") as running:
        for stage in case.stages(place.gateway, place.vips):
            assert len(stage.problems) == len(WRONG), stage.problems
            await running.reach(stage)
            for request in case.requests:
                foreseen = faults(request, follow(stage.view, request))
                observed = await observe(running, stage, request, logged=False)
                assert observed is not None
                said = mismatches(request.expect, observed)
                if foreseen or said:
                    wrong.append((request.url, request.headers, foreseen, said))
    assert running.rejections() == 0
    assert not wrong, f"{len(wrong)} of {len(case.requests)}: {wrong}"
