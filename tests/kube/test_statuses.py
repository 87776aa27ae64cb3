from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from kube.manifests import ENTRY, GATEWAY, ROUTE, head, namespace
from kube.waiting import until
from serai.api.kinds import by_kind
from serai.api.meta import Key
from serai.attach.gateways import CONTROLLER
from serai.kube.access import APPLY, MERGE_PATCH, Access
from serai.kube.resource import Resource
from serai.kube.statuses import Observed, observe, to_write
from serai.kube.wire import Name
from serai.kube.writer import StatusWriter

NOW, BEFORE = "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"


def condition(
    kind: str, status: str = "True", since: str = "", message: str = ""
) -> dict[str, Any]:
    found = {
        "type": kind,
        "status": status,
        "reason": "Because",
        "message": message,
        "observedGeneration": 1,
    }
    return found | ({"lastTransitionTime": since} if since else {})


def parent(
    controller: str, since: str = "", name: str = "edge", status: str = "True", message: str = ""
) -> dict[str, Any]:
    ref = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name}
    found = condition("Accepted", status, since, message)
    return {"parentRef": ref, "controllerName": controller, "conditions": [found]}


def observed(status: dict[str, Any], **more: Any) -> Observed:
    return Observed("u", "7", status, **more)


def test_nothing_is_written_where_it_says_so_already() -> None:
    there = observed({"parents": [parent(CONTROLLER, BEFORE)]})
    assert to_write("HTTPRoute", {"parents": [parent(CONTROLLER)]}, there, NOW) is None


def test_entries_of_other_controllers_are_written_back_as_they_were() -> None:
    theirs = parent("istio.io/gateway-controller", BEFORE)
    write = to_write(
        "HTTPRoute", {"parents": [parent(CONTROLLER)]}, observed({"parents": [theirs]}), NOW
    )
    assert write is not None
    assert write.status == {"parents": [theirs, parent(CONTROLLER, NOW)]}
    assert write.guarded


def test_stale_entries_of_ours_are_removed_and_no_others() -> None:
    theirs = parent("istio.io/gateway-controller", BEFORE)
    there = observed({"parents": [parent(CONTROLLER, BEFORE), theirs]})
    write = to_write("HTTPRoute", None, there, NOW)
    assert write is not None
    assert write.status == {"parents": [theirs]}
    assert to_write("HTTPRoute", None, observed({"parents": [theirs]}), NOW) is None


def test_no_more_is_written_than_a_list_takes() -> None:
    for number, ours in ((30, 2), (31, 1), (32, 0)):
        theirs = [parent("other.example/controller", BEFORE, str(each)) for each in range(number)]
        wanted = {"parents": [parent(CONTROLLER, name=each) for each in ("a", "b")]}
        write = to_write("HTTPRoute", wanted, observed({"parents": theirs}), NOW)
        if not ours:
            assert write is None, "and it is not tried again and again"
            continue
        assert write is not None
        assert write.status["parents"][:number] == theirs
        assert [each["parentRef"]["name"] for each in write.status["parents"][number:]] == [
            "a",
            "b",
        ][:ours]
        assert to_write("HTTPRoute", wanted, observed(write.status), NOW) is None


def test_a_transition_has_its_time_and_another_message_has_not() -> None:
    there = observed({"parents": [parent(CONTROLLER, BEFORE, status="False")]})
    for wanted, since in (
        (parent(CONTROLLER, status="False", message="new"), BEFORE),
        (parent(CONTROLLER, status="True"), NOW),
    ):
        write = to_write("HTTPRoute", {"parents": [wanted]}, there, NOW)
        assert write is not None
        assert write.status["parents"][0]["conditions"][0]["lastTransitionTime"] == since


def test_conditions_of_others_on_a_gateway_are_left_alone() -> None:
    theirs = condition("theirs.example/Ready", since=BEFORE)
    there = observed({"conditions": [theirs, condition("Accepted", since=BEFORE)]})
    assert to_write("Gateway", {"conditions": [condition("Accepted")]}, there, NOW) is None


def test_a_condition_that_is_wanted_no_more_is_given_up() -> None:
    there = observed(
        {"conditions": [condition("A", since=BEFORE), condition("B", since=BEFORE)]},
        owned=frozenset({"A", "B"}),
        ours=True,
    )
    write = to_write("Gateway", {"conditions": [condition("A")]}, there, NOW)
    assert write is not None
    assert [each["type"] for each in write.status["conditions"]] == ["A"]
    gone = to_write("Gateway", None, there, NOW)
    assert gone is not None
    assert gone.status == {}
    assert to_write("Gateway", None, observed(there.status), NOW) is None


def test_a_service_entry_keeps_what_others_say() -> None:
    theirs = condition("istio.io/VisibilityApplied", since=BEFORE)
    there = observed({"conditions": [theirs], "addresses": [{"value": "240.240.0.1", "host": "a"}]})
    wanted = {"conditions": [condition("istio.io/WaypointBound")]}
    write = to_write("ServiceEntry", wanted, there, NOW)
    assert write is not None
    assert write.status["conditions"] == [theirs, condition("istio.io/WaypointBound", since=NOW)]
    assert write.status["addresses"] == there.status["addresses"]
    assert to_write("ServiceEntry", None, there, NOW) is None


@pytest.mark.parametrize("kind", ["ServiceEntry", "WorkloadEntry"])
def test_what_istiod_says_of_a_waypoint_is_left_to_it(kind: str) -> None:
    theirs = condition("istio.io/WaypointBound", since=BEFORE)
    assert to_write(kind, None, observed({"conditions": [theirs]}), NOW) is None
    ours = observed({"conditions": [theirs]}, ours=True, conditions_ours=True)
    gone = to_write(kind, None, ours, NOW)
    assert gone is not None
    assert gone.status == {}


class World:
    """Objects on a real API server and a writer for their statuses."""

    def __init__(self, access: Access, *, leading: bool = True) -> None:
        self.access = access
        self.wanted: dict[Key, dict[str, Any]] = {}
        self.leading = leading
        self.writer = StatusWriter(access, self.find, self.wanted.get, lambda: self.leading)

    async def find(self, kind: str) -> Resource | None:
        known = by_kind(kind)
        assert known is not None
        return (await self.access.discover()).find(known.group, known.plural, known.versions)

    async def see(self, resource: Resource, key: Key) -> dict[str, Any]:
        raw = await self.access.get(resource.path(Name(key.namespace, key.name)))
        self.writer.saw(key, raw)
        found: dict[str, Any] = json.loads(raw)
        return found


@asynccontextmanager
async def writing(world: World) -> AsyncIterator[World]:
    task = asyncio.create_task(world.writer.run())
    try:
        yield world
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def route(access: Access, space: str, name: str) -> Key:
    spec = {"parentRefs": [{"name": "edge"}]}
    await access.create(ROUTE, space, {**head(ROUTE, name), "spec": spec})
    return Key("HTTPRoute", space, name)


async def theirs_too(access: Access, key: Key, *parents: dict[str, Any]) -> None:
    """Another controller writes the whole list, as Istio does."""
    body = {"status": {"parents": list(parents)}}
    await access.patch(ROUTE, Name(key.namespace, key.name), body, MERGE_PATCH, "status")


async def test_two_controllers_on_one_route_never_overwrite_each_other(admin: Access) -> None:
    space = await namespace(admin, "two-controllers")
    key = await route(admin, space, "cart")
    theirs = parent("istio.io/gateway-controller", BEFORE, name="other")
    async with writing(World(admin)) as world:
        world.wanted[key] = {"parents": [parent(CONTROLLER)]}
        await world.see(ROUTE, key)  # what is seen is stale as soon as the other has written
        world.writer._queue.drop(key)
        await theirs_too(admin, key, theirs)
        world.writer.look([key])
        await until(lambda: world.writer.writes == 1)
        found = await world.see(ROUTE, key)
        assert [each["controllerName"] for each in found["status"]["parents"]] == [
            "istio.io/gateway-controller",
            CONTROLLER,
        ]
        del world.wanted[key]
        world.writer.look([key])
        await until(lambda: world.writer.writes == 2)
        found = await world.see(ROUTE, key)
        assert found["status"]["parents"] == [theirs]


async def test_at_rest_nothing_is_written_and_who_does_not_lead_never_writes(
    admin: Access,
) -> None:
    space = await namespace(admin, "at-rest")
    key = await route(admin, space, "cart")
    async with writing(World(admin, leading=False)) as world:
        world.wanted[key] = {"parents": [parent(CONTROLLER)]}
        await world.see(ROUTE, key)
        await asyncio.sleep(0.2)
        assert world.writer.writes == 0
        world.leading = True
        world.writer.look_at_all()
        await until(lambda: world.writer.writes == 1)
        for _ in range(3):
            await world.see(ROUTE, key)
        await asyncio.sleep(0.3)
        assert world.writer.writes == 1


async def test_a_gateway_keeps_the_conditions_of_others(admin: Access) -> None:
    space = await namespace(admin, "gateway-conditions")
    listener = {"name": "http", "port": 80, "protocol": "HTTP"}
    spec = {"gatewayClassName": "serai", "listeners": [listener]}
    await admin.create(GATEWAY, space, {**head(GATEWAY, "edge"), "spec": spec})
    name, key = Name(space, "edge"), Key("Gateway", space, "edge")
    theirs = condition("theirs.example/Ready", since=BEFORE)
    await admin._write(
        "PATCH",
        GATEWAY.path(name, "status"),
        {**head(GATEWAY, "edge"), "status": {"conditions": [theirs]}},
        APPLY,
        {"fieldManager": "theirs"},
    )
    async with writing(World(admin)) as world:
        world.wanted[key] = {
            "conditions": [condition("Accepted"), condition("Programmed")],
            "addresses": [{"type": "IPAddress", "value": "10.0.0.1"}],
        }
        await world.see(GATEWAY, key)
        await until(lambda: world.writer.writes == 1)
        world.wanted[key]["conditions"].pop()
        world.writer.look([key])
        await until(lambda: world.writer.writes == 2)
        found = await world.see(GATEWAY, key)
        types = [each["type"] for each in found["status"]["conditions"]]
        assert "theirs.example/Ready" in types
        assert "Accepted" in types
        assert observe(json.dumps(found).encode()).owned == {"Accepted"}


async def test_of_two_allocators_none_wins_unseen(admin: Access) -> None:
    space = await namespace(admin, "allocators")
    entry = {"hosts": ["a.example"], "ports": [{"number": 80, "name": "http"}], "resolution": "DNS"}
    await admin.create(ENTRY, space, {**head(ENTRY, "a"), "spec": entry})
    name, key = Name(space, "a"), Key("ServiceEntry", space, "a")
    async with writing(World(admin)) as world:
        mine = {"addresses": [{"value": "240.240.0.1", "host": "a.example"}]}
        await world.see(ENTRY, key)
        theirs = {"status": {"addresses": [{"value": "240.240.0.9", "host": "a.example"}]}}
        await admin.patch(ENTRY, name, theirs, MERGE_PATCH, "status")
        world.wanted[key] = mine
        refused: list[Key] = []

        def wanted(key: Key) -> dict[str, Any] | None:
            refused.append(key)
            return world.wanted.get(key)

        world.writer._wanted = wanted
        world.writer.look([key])
        await until(lambda: len(refused) >= 2)
        assert world.writer.writes == 0
        found = await world.see(ENTRY, key)
        assert found["status"]["addresses"][0]["value"] == "240.240.0.9"
