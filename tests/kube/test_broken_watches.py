"""Every kind followed on a real API server, by watches that break hundreds of times."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from random import Random
from typing import Any

import pytest
from lightkube import KubeConfig
from lightkube.config.models import Cluster as Server
from lightkube.config.models import User

from kube import assets
from kube.manifests import CONFIG_MAP, ENTRY, ROUTE, SERVICE, head, namespace
from kube.meddler import FAULTS, Meddler
from kube.waiting import until
from serai.app.controller.followed import wanted_kinds
from serai.kube.access import MERGE_PATCH, Access, access_of
from serai.kube.cluster import Cluster
from serai.kube.reflector import Delta
from serai.kube.resource import Resource
from serai.kube.wire import Name, read_item

BREAKS = 300
SPECS: dict[Resource, dict[str, Any]] = {
    CONFIG_MAP: {"data": {"a": "b"}},
    SERVICE: {"spec": {"ports": [{"port": 80}]}},
    ENTRY: {
        "spec": {
            "hosts": ["broken.example"],
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
            "resolution": "DNS",
        }
    },
    ROUTE: {"spec": {"parentRefs": [{"name": "edge"}]}},
}


class Changer:
    """Makes, changes and deletes objects of several kinds, as it comes."""

    def __init__(self, admin: Access, space: str, random: Random) -> None:
        self._admin = admin
        self._space = space
        self._random = random
        self._there: set[tuple[Resource, str]] = set()

    async def change(self) -> None:
        """One object, somehow."""
        kind = self._random.choice(list(SPECS))
        name = f"n{self._random.randrange(4)}"
        key = Name(self._space, name)
        if (kind, name) not in self._there:
            await self._admin.create(kind, self._space, {**head(kind, name), **SPECS[kind]})
            self._there.add((kind, name))
        elif self._random.random() < 0.4:
            await self._admin.delete(kind, key)
            self._there.discard((kind, name))
        else:
            meta = {"metadata": {"annotations": {"turn": str(self._random.random())}}}
            await self._admin.patch(kind, key, meta, MERGE_PATCH)


async def fresh(admin: Access, cluster: Cluster) -> dict[str, dict[Name, str]]:
    """What there is of every kind, asked anew past whoever meddles."""
    found: dict[str, dict[Name, str]] = {}
    for kind, wanted in cluster.wanted.items():
        resource = await cluster.find(wanted)
        if resource is None:
            continue
        data = await admin.get(resource.path(), dict(wanted.selectors))
        items = [read_item(json.dumps(each).encode()) for each in json.loads(data)["items"]]
        found[kind] = {each.name: each.version for each in items}
    return {kind: there for kind, there in found.items() if there}


@pytest.mark.slow
async def test_watches_broken_hundreds_of_times_lose_nothing(
    api: assets.ApiServer, admin: Access
) -> None:
    space = await namespace(admin, "broken")
    random = Random(11)
    meddler = Meddler(api.port, random)
    held: dict[str, dict[Name, str]] = defaultdict(dict)

    def hear(kind: str, delta: Delta) -> None:
        for name in delta.gone:
            held[kind].pop(name, None)
        held[kind].update((item.name, item.version) for item in delta.put)

    async with meddler.serving() as url:
        user = User(token=assets.TOKENS["admin"][0])
        access = access_of(KubeConfig.from_one(cluster=Server(url), user=user).get())
        cluster = Cluster(access, wanted_kinds(), hear, random)
        for each in (*cluster._watchers.values(), cluster._definitions):
            # Half-open ones are found sooner; so are those at which nothing happens.
            each.silence = 0.5
            each.reflector._backoff._first = each.reflector._backoff._delay = 0.02
            each.reflector._backoff._longest = 0.2
        task = asyncio.create_task(cluster.run())
        try:
            changer = Changer(admin, space, random)
            while meddler.broken() < BREAKS or not all(meddler.met[each] for each in FAULTS):
                assert not task.done()
                await changer.change()
                await asyncio.sleep(0.01)
            meddler.meddling = False
            await until(lambda: cluster.synced)
            there = await fresh(admin, cluster)
            await until(lambda: {kind: each for kind, each in held.items() if each} == there)
            assert {"ConfigMap", "Service", "ServiceEntry", "HTTPRoute", "Namespace"} <= set(there)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await access.close()
