"""What can still be told of a policy that cannot be read."""

from __future__ import annotations

from typing import Any

import pytest

from serai.api.meta import ObjectMeta
from serai.api.security import DRY_RUN
from serai.api.unread import Unread
from serai.attach.targets import TargetReference
from serai.translate.unread import references, restrictions, selectors

API = {"kind": "Service", "name": "api"}


def _policy(spec: Any, kind: str = "AuthorizationPolicy", **annotations: str) -> Unread:
    metadata = ObjectMeta("p", "shop", annotations={"a/b": "c", **annotations})
    return Unread(metadata, kind, spec)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"targetRefs": [API], "rules": 7}, (TargetReference("", "Service", "api"),)),
        ({"targetRef": API, "rules": 7}, (TargetReference("", "Service", "api"),)),
        ({"targetRefs": [{**API, "namespace": "shop"}]}, (TargetReference("", "Service", "api"),)),
        (
            {"targetRefs": [{**API, "namespace": "bank"}]},
            (TargetReference("", "Service", "api", namespace="bank"),),
        ),
        # Without targets it is ztunnel's.
        ({"selector": 7, "rules": []}, ()),
        ({"rules": 7}, ()),
        # Perhaps its targets are there under another name.
        ({"targetRfs": [API]}, None),
        ({"targetRefs": [API, {"kind": "Service", "name": 7}]}, None),
        ({"targetRefs": API}, None),
        (None, None),
    ],
)
def test_what_it_is_for(spec: Any, expected: tuple[TargetReference, ...] | None) -> None:
    assert references(_policy(spec)) == expected


def test_what_it_selects_by_labels() -> None:
    selector = {"group": "", "kind": "Service", "matchLabels": {"b": "1", "a": "2"}}
    found = selectors(_policy({"targetSelectors": [selector]}, "TrafficPolicy"))
    assert [(each.kind, each.labels) for each in found] == [("Service", (("a", "2"), ("b", "1")))]
    assert references(_policy({"targetSelectors": [{"kind": 7}]}, "TrafficPolicy")) is None


@pytest.mark.parametrize(
    ("spec", "closed"),
    [({"action": "DENY"}, True), ({"action": 7}, True), (None, True), ({"action": "AUDIT"}, False)],
)
def test_an_authorization_policy_restricts_unless_it_only_marks(spec: Any, *, closed: bool) -> None:
    found = [("spec", "AuthorizationPolicy")] if closed else []
    assert list(restrictions(_policy(spec))) == found
    assert not list(restrictions(_policy(spec, **{DRY_RUN: "true"})))


def test_a_traffic_policy_restricts_by_the_fields_that_it_has() -> None:
    def closed(spec: Any) -> list[str]:
        return [name for _, name in restrictions(_policy(spec, "TrafficPolicy"))]

    assert closed({"extAuth": 7, "timeouts": 7}) == ["extAuth"]
    assert closed({"timeouts": 7, "rateLimit": {"local": 7}}) == []
    assert "extAuth" in closed(None)
