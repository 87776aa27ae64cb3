"""What kubectl's strategic merge patch does, for the lists that we make."""

from __future__ import annotations

from typing import Any

import pytest

from serai.kube.strategic import merge

POD = {
    "containers": [{"name": "envoy", "image": "a", "env": [{"name": "A", "value": "1"}]}],
    "securityContext": {"runAsUser": 1, "runAsNonRoot": True},
    "tolerations": [{"key": "x"}],
}


@pytest.mark.parametrize(
    ("patch", "found"),
    [
        ({"securityContext": {"runAsUser": 2}}, {"runAsUser": 2, "runAsNonRoot": True}),
        ({"securityContext": None}, None),
        ({"securityContext": {"$patch": "delete"}}, None),
        ({"securityContext": {"$patch": "replace", "fsGroup": 3}}, {"fsGroup": 3}),
        ({"securityContext": {"runAsUser": None}}, {"runAsNonRoot": True}),
        ({"securityContext": {}}, POD["securityContext"]),
    ],
)
def test_maps(patch: dict[str, Any], found: Any) -> None:
    assert merge(POD, patch).get("securityContext") == found


@pytest.mark.parametrize(
    ("patch", "found"),
    [
        (
            [{"name": "envoy", "image": "b"}],
            [{"name": "envoy", "image": "b", "env": [{"name": "A", "value": "1"}]}],
        ),
        (
            [{"name": "envoy", "env": [{"name": "B", "value": "2"}]}],
            [
                {
                    "name": "envoy",
                    "image": "a",
                    "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                }
            ],
        ),
        ([{"name": "other"}], [*POD["containers"], {"name": "other"}]),
        ([{"name": "envoy", "$patch": "delete"}], []),
        ([{"$patch": "replace"}, {"name": "other"}], [{"name": "other"}]),
    ],
)
def test_lists_whose_entries_have_names(patch: list[Any], found: list[Any]) -> None:
    assert merge(POD, {"containers": patch})["containers"] == found


def test_other_lists_are_replaced() -> None:
    assert merge(POD, {"tolerations": [{"key": "y"}]})["tolerations"] == [{"key": "y"}]


def test_ports_are_told_apart_by_number_whoever_has_them() -> None:
    service = {"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]}
    assert merge(service, {"ports": [{"port": 81, "nodePort": 30000}]})["ports"] == [
        {"port": 80, "name": "a"},
        {"port": 81, "name": "b", "nodePort": 30000},
    ]


def test_what_is_merged_stays_as_it_was() -> None:
    before = merge({}, POD)
    merge(POD, {"containers": [{"name": "envoy", "image": "b"}], "securityContext": None})
    assert before == POD
