"""Limits in ConfigMaps: which of them are in force, and under which names."""

from __future__ import annotations

from serai.api.core import ConfigMap
from serai.api.meta import ObjectMeta
from serai.api.rate_limit_config import LABEL
from serai.model.rate_limits import Limits, in_force, limits_of


def written(name: str, namespace: str, created: str, text: str, label: str = "true") -> ConfigMap:
    metadata = ObjectMeta(
        name=name, namespace=namespace, labels={LABEL: label}, creation_timestamp=created
    )
    return ConfigMap(metadata=metadata, data={"limits.yaml": text})


def limits(found: ConfigMap) -> Limits | None:
    return limits_of(found.key, found)


def test_the_oldest_has_a_domain_and_each_namespace_its_own() -> None:
    listed = [
        written("a", "shop", "2026-02-02T00:00:00Z", "{domain: api}"),
        written("b", "shop", "2026-01-01T00:00:00Z", "{domain: api, descriptors: [{key: k}]}"),
        written("c", "other", "2026-03-03T00:00:00Z", "{domain: api}\n---\n{domain: web}"),
    ]
    rows = [(each.key, found) for each in listed if (found := limits(each))]

    chosen = in_force(rows)

    assert {domain: key.name for domain, (key, _) in chosen.items()} == {
        "shop/api": "b",
        "other/api": "c",
        "other/web": "c",
    }
    assert chosen == in_force(reversed(rows))
    assert chosen["shop/api"][1].descriptors[0].key == "k"


def test_what_has_no_label_has_no_limits() -> None:
    assert limits(written("a", "shop", "", "{domain: api}", label="false")) is None
