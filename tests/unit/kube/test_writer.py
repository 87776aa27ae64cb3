"""Statuses that are written: none of them may be the end of the others."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from serai.api.meta import Key
from serai.kube.queue import AT_ONCE, Queue
from serai.kube.resource import Resource
from serai.kube.wire import Name
from serai.kube.writer import StatusWriter

WANTED = {"conditions": [{"type": "A", "status": "True", "reason": "B", "message": ""}]}
GATEWAYS = Resource("gateway.networking.k8s.io", "v1", "gateways", "Gateway")
ENTRIES = Resource("networking.istio.io", "v1", "serviceentries", "ServiceEntry")


async def test_a_status_that_nobody_can_read_holds_up_no_other() -> None:
    written: list[str] = []
    done = asyncio.Event()

    class Api:
        async def patch(self, _: Resource, name: Name, *__: object) -> dict[str, Any]:
            written.append(name.name)
            done.set()
            return {"metadata": {}}

    async def find(_: str) -> Resource:
        return ENTRIES

    access: Any = Api()
    writer = StatusWriter(access, find, lambda _: WANTED, lambda: True)
    writing = asyncio.create_task(writer.run())
    for name, status in (("odd", {"conditions": ["x"]}), ("good", {})):
        meta = {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "1"}
        raw = msgspec.json.encode({"metadata": meta, "status": status})
        writer.saw(Key("ServiceEntry", "shop", name), raw)
    try:
        await asyncio.wait_for(done.wait(), 5)
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    assert written == ["good"]


async def test_a_kind_whose_writes_hang_holds_up_no_other() -> None:
    written: list[str] = []
    done = asyncio.Event()

    class Api:
        async def patch(self, _: Resource, name: Name, *__: object) -> dict[str, Any]:
            await asyncio.Event().wait()
            return {"metadata": {"name": name.name}}

        async def apply(self, _: Resource, name: Name, *__: object, **___: str) -> dict[str, Any]:
            written.append(name.name)
            done.set()
            return {"metadata": {}}

    async def find(kind: str) -> Resource:
        return ENTRIES if kind == "ServiceEntry" else GATEWAYS

    access: Any = Api()
    writer = StatusWriter(access, find, lambda _: WANTED, lambda: True)
    for number in range(20):
        writer.saw(Key("ServiceEntry", "shop", f"slow-{number}"), b'{"metadata": {}}')
    writer.saw(Key("Gateway", "shop", "edge"), b'{"metadata": {}}')
    writing = asyncio.create_task(writer.run())
    try:
        await asyncio.wait_for(done.wait(), 5)
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    assert written == ["edge"]


def test_kinds_take_turns_and_of_one_only_some_are_under_way() -> None:
    queue = Queue()
    routes = [Key("HTTPRoute", "shop", str(number)) for number in range(AT_ONCE + 1)]
    gateway = Key("Gateway", "shop", "edge")
    for key in (*routes, gateway):
        queue.soon(key)
    assert [queue.take(0.0) for _ in range(3)] == [routes[0], gateway, routes[1]]
    queue.soon(routes[0])
    taken = [queue.take(0.0) for _ in range(AT_ONCE - 1)]
    assert taken == [*routes[2:AT_ONCE], None], "no more of it at once"
    queue.done(routes[1])
    assert queue.take(0.0) == routes[AT_ONCE], "not what is still under way"
    queue.done(routes[0])
    assert queue.take(0.0) == routes[0]


def test_what_is_to_be_looked_at_later_is_not_looked_at_sooner() -> None:
    queue, key = Queue(), Key("Gateway", "shop", "edge")
    queue.later(key, 5.0)
    queue.soon(key)
    assert (queue.take(1.0), queue.soonest(1.0)) == (None, 5.0)
    assert (queue.soonest(5.0), queue.take(5.0)) == (None, key)
    queue.done(key)
    queue.soon(key)
    queue.drop(key)
    assert queue.take(9.0) is None
