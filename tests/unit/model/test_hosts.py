"""Which service a host means, and what those say who refer to it wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serai.attach.hostnames import covers
from serai.model.hosts import patterns
from serai.views.endpoints import endpoint_rows
from unit.views.worlds import written

labels = st.sampled_from(["a", "b", "c"])
hosts = st.lists(labels, min_size=1, max_size=4).map(".".join)
names = st.one_of(hosts, hosts.map("*.{}".format), st.just("*"))


@given(host=names, had=st.sets(names, max_size=8))
def test_the_longest_pattern_that_covers_a_host_comes_first(host: str, had: set[str]) -> None:
    found = next((each for each in patterns(host) if each in had), None)

    covering = [each for each in had if covers(each, host)]
    assert found == max(covering, key=lambda each: (each == host, len(each)), default=None)


def test_each_pattern_is_asked_for_once() -> None:
    assert list(patterns("a.b.example")) == ["a.b.example", "*.b.example", "*.example", "*"]
    assert list(patterns("*.b.example")) == ["*.b.example", "*.example", "*"]
    assert list(patterns("*")) == ["*"]


ENTRY = """\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: shop, creationTimestamp: "{age}-01-01T00:00:00Z"}}
spec:
  hosts: [api.example]
  ports: [{{number: 80, name: http, protocol: HTTP}}]
  resolution: {resolution}
  {rest}
---
"""
VM = """\
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: vm, namespace: shop, labels: {app: vm}}
spec: {address: 127.0.0.7}
---
"""


def test_merged_endpoints_are_listed_with_the_objects_they_come_from(tmp_path: Path) -> None:
    inline = ENTRY.format(
        name="one", age=2025, resolution="STATIC", rest="endpoints: [{address: 127.0.0.6}]"
    )
    selecting = ENTRY.format(
        name="two", age=2026, resolution="STATIC", rest="workloadSelector: {labels: {app: vm}}"
    )

    rows = endpoint_rows(written(tmp_path, inline + selecting + VM))

    assert {(row.service, row.address, row.source) for row in rows} == {
        (f"ServiceEntry/shop/{entry}", address, source)
        for entry in ("one", "two")
        for address, source in (
            ("127.0.0.6:80", "inline"),
            ("127.0.0.7:80", "WorkloadEntry shop/vm"),
        )
    }


def test_names_of_a_dns_entry_are_not_sent_to_where_the_oldest_has_addresses(
    tmp_path: Path,
) -> None:
    static = ENTRY.format(
        name="one", age=2025, resolution="STATIC", rest="endpoints: [{address: 127.0.0.6}]"
    )
    named = ENTRY.format(
        name="two", age=2026, resolution="DNS", rest="endpoints: [{address: vm.example}]"
    )

    state = written(tmp_path, static + named)

    listed = state.pipeline.attached.catalog.endpoints.items()
    assert {tuple(each.address for each in found) for _, found in listed} == {("127.0.0.6",)}


EDGE = """\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  gatewayClassName: serai
  listeners: [{name: http, port: 18229, protocol: HTTP}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: private, namespace: other}
spec:
  hosts: [private.example]
  exportTo: [third]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: shop}
spec:
  parentRefs: [{name: edge}]
  rules:
"""
HOSTNAME = "group: networking.istio.io, kind: Hostname"


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        (
            f"{HOSTNAME}, name: a.example, port: 80, namespace: shop",
            "namespace may not be set with",
        ),
        (f"{HOSTNAME}, name: a.example", "port is required in backendRef"),
        (f"{HOSTNAME}, name: a.example, port: 80", "backend(a.example) not found"),
        (f"{HOSTNAME}, name: private.example, port: 80", "its exportTo is third"),
        ("name: cart.shop, port: 80", "the name of the Service must be used, not the hostname"),
    ],
)
def test_a_wrong_reference_is_told_in_istios_words(
    tmp_path: Path, reference: str, words: str
) -> None:
    rule = f"  - backendRefs: [{{{reference}}}]\n"

    state = written(tmp_path, EDGE + rule)

    assert [problem.message for problem in state.problems if words in problem.message]
