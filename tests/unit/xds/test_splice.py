"""What is put together from the bytes of others is what each message is by itself."""

from __future__ import annotations

from typing import Any, TypeVar

import pytest

from casekit.case import Case, cases
from serai.app.core import Core
from serai.incremental import Node
from serai.proto.envoy import ClusterLoadAssignment, RouteConfiguration, VirtualHost
from serai.translate.localities import localities
from serai.xds.encode import splice
from serai.xds.encode.cluster import encode_cluster, whole_cluster
from serai.xds.encode.endpoint import encode_endpoints, load_assignment
from serai.xds.encode.route import encode_host, encode_routes, whole_host
from serai.xds.encode.splice import spliced
from serai.xds.references import references
from serai.xds.resource import Resource, ResourceType

V = TypeVar("V")


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_of_every_case(case: Case) -> None:
    for stage in case.stages():
        same_clusters(stage.world)
        same_endpoints(stage.world)
        same_routes(stage.world)
        for resource in rows(stage.world.pipeline.snapshot):
            same_references(resource)


def rows(node: Node[Any, V]) -> list[V]:
    return [row for _, row in node.items()]


def same_clusters(core: Core) -> None:
    settings = core.pipeline.settings
    for row in rows(core.pipeline.translated.clusters):
        body = encode_cluster(row, settings, settings.viewpoint).body
        assert body == whole_cluster(row, settings, settings.viewpoint)


def same_endpoints(core: Core) -> None:
    for row in rows(core.pipeline.translated.endpoints):
        found = localities(row.endpoints, row.distribution, None)
        whole = load_assignment(row.cluster, found, row.tunnels, told_apart=row.told_apart)
        assert ClusterLoadAssignment.FromString(encode_endpoints(row, None).body) == whole


def same_routes(core: Core) -> None:
    domains = core.pipeline.settings.trust_domains
    for row in rows(core.pipeline.translated.routes):
        found = RouteConfiguration.FromString(encode_routes(row, domains).body).virtual_hosts
        whole = [VirtualHost.FromString(whole_host(each, domains)) for each in row.virtual_hosts]
        assert list(found) == whole
        for host in row.virtual_hosts:
            assert encode_host(host, domains).field.endswith(whole_host(host, domains))


def same_references(resource: Resource) -> None:
    read = Resource(resource.type, resource.name, resource.version, resource.body)
    # Which scopes a divided table leads to is in a script, and can be read from nothing.
    if not any(each.type is ResourceType.SCOPE for each in references(resource)):
        assert references(resource) == references(read)


def test_texts_are_put_where_the_encoder_puts_them() -> None:
    made: list[tuple[str, ...]] = []

    def encode(shape: str, texts: tuple[str, ...]) -> bytes:
        made.append(texts)
        size = sum(len(text.encode()) for text in texts)
        return ":".join((shape, *texts, str(size))).encode()

    for _ in range(2):
        assert spliced(encode, "of two", ("ab", "cdé")) == "of two:ab:cdé:6".encode()
    count = len(made)
    assert spliced(encode, "of two", ("AB", "CDEF")) == b"of two:AB:CDEF:6"
    assert len(made) == count
    assert spliced(encode, "of two", ("AB", "CDEFG")) == b"of two:AB:CDEFG:7"
    assert spliced(encode, "others", ("AB", "CDEF")) == b"others:AB:CDEF:6"


@pytest.mark.parametrize("texts", [("a", "a"), ("", "b"), ("w" * 3, "5" * 3)])
def test_whatever_the_texts_are(texts: tuple[str, ...]) -> None:
    def encode(_: None, texts: tuple[str, ...]) -> bytes:
        return b"<" + "|".join(texts).encode() + b">zyx5"

    for _ in range(3):
        assert spliced(encode, None, texts) == encode(None, texts)


def test_an_encoder_that_puts_them_elsewhere_is_asked_each_time() -> None:
    def encode(_: None, texts: tuple[str, ...]) -> bytes:
        return "".join(reversed(texts)).encode()

    for texts in (("ab", "cd"), ("ef", "gh"), ("ij", "kl")):
        assert spliced(encode, None, texts) == encode(None, texts)


def test_what_is_met_once_is_encoded_once() -> None:
    made: list[int] = []

    def encode(shape: int, texts: tuple[str, ...]) -> bytes:
        made.append(shape)
        return texts[0].encode()

    for number in range(5):
        spliced(encode, number, ("once",))
    assert made == [0, 1, 2, 3, 4]


def test_no_more_is_kept_than_some() -> None:
    def encode(shape: int, texts: tuple[str, ...]) -> bytes:
        return f"{shape}{texts[0]}".encode()

    for number in range(splice.KEPT + 10):
        spliced(encode, number, ("x" * 5,))
    kept = splice._kind.cache_info()
    assert kept.currsize == splice.KEPT
