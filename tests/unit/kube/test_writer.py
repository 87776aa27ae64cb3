"""Statuses that are written: none of them may be the end of the others."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from serai.api.meta import Key
from serai.kube.resource import Resource
from serai.kube.wire import Name
from serai.kube.writer import StatusWriter

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

    wanted = {"conditions": [{"type": "A", "status": "True", "reason": "B", "message": ""}]}
    access: Any = Api()
    writer = StatusWriter(access, find, lambda _: wanted, lambda: True)
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
