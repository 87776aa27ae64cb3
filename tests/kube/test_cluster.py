"""A cluster followed on a real API server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from kube import assets
from kube.manifests import CONFIG_MAP, namespace
from kube.waiting import until
from serai.api.kinds import by_kind
from serai.api.meta import Key, LabelSelector, Object
from serai.kube.access import Access, ApiError
from serai.kube.cluster import Cluster, Wanted
from serai.kube.reflector import Delta
from serai.kube.resource import Resource
from serai.kube.wire import Name, read_item
from serai.sources.batch import Batch
from serai.sources.cluster import ClusterSource, Scope

WIDGET = Resource("serai.test", "v1", "widgets", "Widget")
WANTED = (
    Wanted("ConfigMap", "", "configmaps", ("v1",)),
    Wanted("Widget", "serai.test", "widgets", ("v2", "v1")),
)


class Mirror:
    """What was told of each kind."""

    def __init__(self) -> None:
        self.kinds: dict[str, dict[Name, bytes]] = {"ConfigMap": {}, "Widget": {}}

    def hear(self, kind: str, delta: Delta) -> None:
        """Take in what has changed."""
        for name in delta.gone:
            del self.kinds[kind][name]
        for item in delta.put:
            self.kinds[kind][item.name] = item.raw


@asynccontextmanager
async def following(access: Access) -> AsyncIterator[tuple[Cluster, Mirror]]:
    mirror = Mirror()
    cluster = Cluster(access, WANTED, mirror.hear)
    task = asyncio.create_task(cluster.run())
    try:
        await until(lambda: cluster.synced)
        yield cluster, mirror
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def config_map(name: str, value: str = "") -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": {"value": value}}


async def fresh(access: Access, space: str) -> dict[str, str]:
    """Name and version of each ConfigMap, asked anew."""
    data = await access.get(CONFIG_MAP.path(Name(space, "")))
    found = json.loads(data)["items"]
    return {each["metadata"]["name"]: each["metadata"]["resourceVersion"] for each in found}


def seen(mirror: Mirror, space: str) -> dict[str, str]:
    kept = mirror.kinds["ConfigMap"]
    return {k.name: read_item(raw).version for k, raw in kept.items() if k.namespace == space}


async def test_follows_what_is_made_changed_and_deleted(admin: Access) -> None:
    space = await namespace(admin, "follows")
    await admin.create(CONFIG_MAP, space, config_map("before"))
    async with following(admin) as (_, mirror):
        assert Name(space, "before") in mirror.kinds["ConfigMap"]
        await admin.create(CONFIG_MAP, space, config_map("after"))
        await admin.apply(CONFIG_MAP, Name(space, "before"), config_map("before", "changed"))
        await until(lambda: b"changed" in mirror.kinds["ConfigMap"][Name(space, "before")])
        await admin.delete(CONFIG_MAP, Name(space, "after"))
        await until(lambda: Name(space, "after") not in mirror.kinds["ConfigMap"])
        assert seen(mirror, space) == await fresh(admin, space)


async def test_a_server_that_ends_and_comes_back_loses_nothing(
    api: assets.ApiServer, admin: Access
) -> None:
    space = await namespace(admin, "comes-back")
    await admin.create(CONFIG_MAP, space, config_map("goes"))
    async with following(admin) as (_, mirror):
        await asyncio.to_thread(api.stop, kill=True)
        await asyncio.to_thread(api.start)
        await admin.delete(CONFIG_MAP, Name(space, "goes"))
        await admin.create(CONFIG_MAP, space, config_map("comes"))
        await until(lambda: set(seen(mirror, space)) == {"comes"}, 60)
        assert seen(mirror, space) == await fresh(admin, space)


async def test_a_kind_that_appears_later_is_followed_and_forgotten_when_it_goes(
    api: assets.ApiServer, admin: Access
) -> None:
    space = await namespace(admin, "appears")
    async with following(admin) as (cluster, mirror):
        assert cluster.absent() == ("Widget",)
        await assets.install(api, WIDGETS)
        name = Name(space, "one")
        async with asyncio.timeout(10):
            while True:
                try:
                    await admin.create(WIDGET, space, widget("one"))
                except ApiError as error:
                    assert error.status in {404, 503}, error  # noqa: PT017
                    await asyncio.sleep(0.1)
                else:
                    break
        await until(lambda: name in mirror.kinds["Widget"])
        await admin.delete(assets.DEFINITION, Name("", "widgets.serai.test"))
        await until(lambda: cluster.absent() == ("Widget",), 40)
        assert mirror.kinds["Widget"] == {}


async def test_what_may_not_be_read_is_told(api: assets.ApiServer) -> None:
    access = api.access("nobody")
    cluster = Cluster(access, WANTED[:1], lambda _, __: None)
    task = asyncio.create_task(cluster.run())
    try:
        await until(lambda: "ConfigMap" in cluster.troubles())
        assert not cluster.synced
        await until(lambda: cluster.knows_definitions)
        (waiting,) = cluster.waiting_for()
        assert "403 Forbidden" in waiting
        assert "nobody" in waiting
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await access.close()


async def test_every_kind_that_is_read_is_one_that_the_api_serves(admin: Access) -> None:
    found = await admin.discover()
    for name in ("Service", "Gateway", "HTTPRoute", "ReferenceGrant", "ServiceEntry"):
        kind = by_kind(name)
        assert kind is not None
        resource = found.find(kind.group, kind.plural, kind.versions)
        assert resource is not None, name
        assert resource.kind == name


WIDGETS: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.serai.test"},
    "spec": {
        "group": "serai.test",
        "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}


def widget(name: str) -> dict[str, Any]:
    return {"apiVersion": "serai.test/v1", "kind": "Widget", "metadata": {"name": name}}


def raw(kind: str, name: str, labels: dict[str, str] | None = None, **more: Any) -> bytes:
    meta = {"name": name, "labels": labels or {}, "resourceVersion": "1"}
    if kind != "Namespace":
        meta["namespace"] = more.pop("namespace", "shop")
    return json.dumps({"metadata": meta, **more}).encode()


def take(source: ClusterSource, kind: str, *put: bytes) -> None:
    known = by_kind(kind)
    assert known is not None
    source.take(known, put)


SCOPE = Scope(namespaces=(LabelSelector({"mesh": "on"}),))
SERVICE = raw("Service", "cart", spec={"ports": [{"port": 80}]})
CART = Key("Service", "shop", "cart")


def test_only_selected_namespaces_are_looked_at() -> None:
    source = ClusterSource(SCOPE)
    take(source, "Service", SERVICE)
    assert CART not in source.batch().changed
    take(source, "Namespace", raw("Namespace", "shop", {"mesh": "on"}))
    assert CART in source.batch().changed
    take(source, "Namespace", raw("Namespace", "shop"))
    batch = source.batch()
    assert batch.removed == {CART}
    assert Key("Namespace", "", "shop") in batch.changed


@pytest.mark.parametrize(("label", "ours"), [({}, True), ({"istio.io/rev": "canary"}, False)])
def test_objects_of_another_revision_are_somebody_elses(
    label: dict[str, str], *, ours: bool
) -> None:
    source = ClusterSource(Scope())
    spec = {"hosts": ["a.example"], "ports": [{"number": 80, "name": "http"}], "resolution": "DNS"}
    take(source, "ServiceEntry", raw("ServiceEntry", "a", label, spec=spec))
    assert bool(source.batch().changed) is ours


def test_nulls_of_the_api_server_are_nothing() -> None:
    source = ClusterSource(Scope())
    slice_ = raw("EndpointSlice", "cart-x", addressType="IPv4", endpoints=None, ports=None)
    take(source, "EndpointSlice", slice_)
    changed: dict[Key, Object] = source.batch().changed
    assert Key("EndpointSlice", "shop", "cart-x") in changed


def test_an_object_that_cannot_be_used_is_told_and_not_in_force() -> None:
    source = ClusterSource(Scope())
    good = {"hosts": ["a.example"], "ports": [{"number": 80, "name": "http"}], "resolution": "DNS"}
    take(source, "ServiceEntry", raw("ServiceEntry", "a", spec=good))
    source.batch()
    take(source, "ServiceEntry", raw("ServiceEntry", "a", spec={**good, "hosts": 7}))
    batch = source.batch()
    assert batch.removed == {Key("ServiceEntry", "shop", "a")}
    assert [each.severity for each in batch.problems] == ["error"]


async def test_a_single_change_leaves_at_once_and_a_storm_in_few_batches() -> None:
    source = ClusterSource(Scope())
    batches: list[Batch] = []

    async def gather() -> None:
        async for batch in source.changes():
            batches.append(batch)
            await asyncio.sleep(0.02)  # what it takes to apply it

    gathering = asyncio.create_task(gather())
    try:
        await asyncio.sleep(0)
        take(source, "Service", SERVICE)
        for _ in range(3):  # no clock: a few turns of the loop are enough
            await asyncio.sleep(0)
        assert [set(batch.changed) for batch in batches] == [{CART}]
        for number in range(200):
            take(source, "Service", raw("Service", f"cart-{number}"))
            await asyncio.sleep(0)
        await until(lambda: sum(len(batch.changed) for batch in batches) == 201)
        assert len(batches) < 40
    finally:
        gathering.cancel()
