"""Fields that an API server admits and we do not know: used without, unless they may bar."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import yaml

from serai.api.decode import decode
from serai.api.kinds import by_kind
from serai.api.unread import Unread
from serai.sources.cluster import read_object

ROUTE = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: shop}
spec:
  parentRefs: [{name: edge}]
  rules:
  - matches: [{path: {value: /}}]
    backendRefs: [{name: a, port: 80}]
"""
GATEWAY = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: g, namespace: shop}
spec:
  gatewayClassName: serai
  listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}]
"""
GRANT = """
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: g, namespace: shop}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: a}]
  to: [{group: "", kind: Service}]
"""
POLICY = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: p, namespace: shop}
spec: {action: DENY, rules: [{}]}
"""


def with_field(text: str, *path: str | int) -> dict[str, Any]:
    """An object with one more field, there."""
    found: dict[str, Any] = yaml.safe_load(text)
    place: Any = found
    for step in path:
        place = place[step]
    place["fromTomorrow"] = {"a": 1}
    return found


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (ROUTE, ("spec",)),
        (ROUTE, ("spec", "rules", 0)),
        (ROUTE, ("spec", "rules", 0, "backendRefs", 0)),
        (GATEWAY, ("spec",)),
        (GATEWAY, ("spec", "listeners", 0)),
    ],
)
def test_an_object_is_used_without_them(text: str, path: tuple[str | int, ...]) -> None:
    raw = with_field(text, *path)
    kind = by_kind(raw["kind"])
    assert kind is not None
    key, obj, problems = read_object(kind, msgspec.json.encode(raw))
    assert obj == decode(yaml.safe_load(text)).object
    assert key == getattr(obj, "key", None)
    (problem,) = problems
    assert (problem.code, problem.severity) == ("SER0005", "warning")
    assert problem.path.endswith("fromTomorrow")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (ROUTE, ("spec", "rules", 0, "matches", 0)),
        (ROUTE, ("spec", "rules", 0, "matches", 0, "path")),
        (GATEWAY, ("spec", "listeners", 0, "allowedRoutes")),
        (GATEWAY, ("spec", "listeners", 0, "allowedRoutes", "namespaces")),
        (GRANT, ("spec", "from", 0)),
        (POLICY, ("spec",)),
        (POLICY, ("spec", "rules", 0)),
    ],
)
def test_what_may_keep_somebody_out_is_not_done_without(
    text: str, path: tuple[str | int, ...]
) -> None:
    raw = with_field(text, *path)
    kind = by_kind(raw["kind"])
    assert kind is not None
    _, obj, problems = read_object(kind, msgspec.json.encode(raw))
    assert obj is None or isinstance(obj, Unread)
    assert [(each.code, each.severity) for each in problems] == [("SER0005", "error")]
    assert isinstance(obj, Unread) == kind.restricts


def test_very_many_of_them_are_used_without_too() -> None:
    raw = yaml.safe_load(ROUTE)
    raw["spec"] |= {f"later{number}": 1 for number in range(50)}
    kind = by_kind("HTTPRoute")
    assert kind is not None
    _, obj, problems = read_object(kind, msgspec.json.encode(raw))
    assert obj == decode(yaml.safe_load(ROUTE)).object
    assert {each.severity for each in problems} == {"warning"}


def test_in_a_folder_they_are_mistakes() -> None:
    found = decode(with_field(ROUTE, "spec"))
    assert found.object is None
    assert [each.severity for each in found.problems] == ["error"]
