"""How often it is tried to deploy a Gateway that cannot be, whatever is told of it meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from serai.api.decode import decode
from serai.api.meta import Key
from serai.app.controller.deploying import Deploying
from serai.app.controller.happenings import Happenings
from serai.app.core import Core
from serai.envoy.bootstrap import HostPort
from serai.kube.access import Access, ApiError
from serai.kube.deployed import Drift
from serai.kube.deployment import RESOURCES, Deployment
from serai.kube.resource import Resource
from serai.kube.wire import Failure, Name
from serai.model.settings import Settings
from unit.app.gateways import CLASS, gateway

EDGE = Key("Gateway", "infra", "edge")
Json = dict[str, Any]

PARAMETERS: Json = {
    "apiVersion": "gateway.kgateway.dev/v1alpha1",
    "kind": "GatewayParameters",
    "metadata": {"name": "odd", "namespace": "infra"},
}
REFERENCE = {"group": "gateway.kgateway.dev", "kind": "GatewayParameters", "name": "odd"}
OVERLAY: Json = {"serviceAccountOverlay": {"spec": {"$patch": "delete"}}}


class Server:
    """An API server that refuses every object, each time in other words, or has others'."""

    def __init__(self, *, others: bool = False, breaks: bool = False) -> None:
        self.asked = 0
        self.leading = True
        self.applied: list[str] = []
        self._breaks = breaks
        """Whether it is we who cannot go on."""
        self._others = others

    async def read(self, resource: Resource, _: Name) -> Json | None:
        self.asked += resource.kind == "ServiceAccount"
        return {"metadata": {"uid": "theirs"}} if self._others else None

    async def apply(self, *_: Any, **__: Any) -> Json:
        if self._breaks:
            raise TypeError("a bug")
        words = f"webhook: read tcp 10.0.0.5:{40_000 + self.asked}->10.96.0.9:443: reset"
        raise ApiError(Failure(500, "InternalError", words))

    async def get(self, *_: Any) -> bytes:
        return b'{"metadata": {"resourceVersion": "1"}, "items": []}'

    @asynccontextmanager
    async def watch(self, *_: Any) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield


class Silent:
    """Nobody is told."""

    def drifted(self, *_: Any) -> None: ...
    def not_deployed(self, *_: Any) -> None: ...
    def left_alone(self, *_: Any) -> None: ...


class Bench:
    """A Gateway, and what becomes of the tries told to it, as a status would be."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.core = Core(Settings(), now=lambda: 0.0)
        self.core.allocate_from(())
        self.put(CLASS, gateway("edge"))
        self.deploying = Deploying(
            cast("Access", server),
            self.core.pipeline,
            lambda: server.leading,
            lambda _: "uid",
            cast("Happenings", Silent()),
            lambda key: self.deploying.look([key]),
        )

    def put(self, *objects: Json) -> None:
        self.core.apply([obj for each in objects if (obj := decode(each).object)], [])


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[Bench]:
    bench = Bench(server)
    how, xds = Deployment(image="envoy"), HostPort("serai", 18000)
    task = asyncio.create_task(bench.deploying.run(how, xds))
    bench.deploying.look([EDGE])
    try:
        yield bench
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_its_status_that_says_why_it_failed_is_no_reason_to_try_again_at_once() -> None:
    async with running(Server()) as bench:
        await asyncio.sleep(0.5)
        assert bench.server.asked == 1


@pytest.mark.parametrize("others", [False, True], ids=["refused", "others"])
async def test_what_is_told_of_it_meanwhile_makes_no_more_tries(*, others: bool) -> None:
    async with running(Server(others=others)) as bench:
        for _ in range(20):
            bench.deploying.look([EDGE])
            await asyncio.sleep(0.01)
        assert bench.server.asked == 1


async def test_what_is_asked_of_it_anew_is_tried_at_once() -> None:
    async with running(Server()) as bench:
        await asyncio.sleep(0.1)
        changed = gateway("edge")
        changed["spec"]["infrastructure"] = {"labels": {"team": "edge"}}
        bench.put(changed)
        bench.deploying.look([EDGE])
        await asyncio.sleep(0.1)
        assert bench.server.asked == 2


async def test_an_overlay_that_makes_no_sense_is_the_end_of_nothing_else() -> None:
    asked = gateway("broken")
    asked["spec"]["infrastructure"] = {"parametersRef": REFERENCE}
    broken, other = (Key("Gateway", "infra", name) for name in ("broken", "other"))
    async with running(Server(breaks=True)) as bench:
        bench.put({**PARAMETERS, "spec": {"kube": OVERLAY}}, asked, gateway("other"))
        bench.deploying.look([broken])
        await asyncio.sleep(0.1)
        bench.deploying.look([other])
        await asyncio.sleep(0.1)
        assert {broken, other} <= bench.deploying.lacking.keys()


async def test_who_leads_anew_tries_at_once() -> None:
    async with running(Server()) as bench:
        await asyncio.sleep(0.1)
        bench.deploying.start_over()
        await asyncio.sleep(0.1)
        assert bench.server.asked == 2


async def test_who_leads_no_more_deploys_nothing_else() -> None:
    class Slow(Server):
        async def apply(self, resource: Resource, *_: Any, **__: Any) -> Json:
            self.applied.append(resource.kind)
            self.leading = False
            return {"metadata": {}}

    server = Slow()
    async with running(server) as bench:
        await asyncio.sleep(0.1)
        assert server.applied == ["ServiceAccount"]
        assert not bench.deploying.lacking


async def test_what_is_changed_while_it_is_deployed_is_put_back() -> None:
    class Meddled(Server):
        async def apply(self, resource: Resource, *_: Any, **__: Any) -> Json:
            self.applied.append(resource.kind)
            if len(self.applied) == len(RESOURCES):
                bench.deploying._drifted(Drift(EDGE, "ConfigMap", "edge", "kubectl-edit"))
            return {"metadata": {}}

    server = Meddled()
    async with running(server) as bench:
        await asyncio.sleep(0.2)
        assert len(server.applied) == 2 * len(RESOURCES)


async def test_a_gateway_that_takes_long_holds_up_no_other() -> None:
    class Hanging(Server):
        async def apply(self, _: Resource, name: Name, *__: Any, **___: Any) -> Json:
            self.applied.append(name.name)
            if name.name == "edge":
                await asyncio.Event().wait()
            return {"metadata": {}}

    server = Hanging()
    async with running(server) as bench:
        await asyncio.sleep(0.1)
        bench.put(gateway("other"))
        bench.deploying.look([EDGE, Key("Gateway", "infra", "other")])
        await asyncio.sleep(0.1)
        assert server.applied == ["edge", *["other"] * 4], "and none is deployed twice at a time"
