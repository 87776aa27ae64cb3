"""What people are told by Events, on a real API server and of a real Envoy."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import msgspec

from kube import assets
from kube.controllers import controller, envoy
from kube.manifests import edge, namespace
from kube.waiting import happened
from serai.kube import events
from serai.kube.access import Access
from serai.kube.events import EVENTS, About, Events, Happened
from serai.kube.wire import Name


async def test_what_an_envoy_refuses_is_told_on_what_it_came_from(
    api: assets.ApiServer, admin: Access, tmp_path: Path
) -> None:
    space = await namespace(admin, "refused")
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        async with controller(api, space, "one") as one:
            await edge(admin, space, taken.getsockname()[1])
            async with envoy(one, f"{space}/edge", tmp_path):
                event = await happened(admin, space, "RefusedByEnvoy")
    assert event["type"] == "Warning"
    assert (event["regarding"]["kind"], event["regarding"]["name"]) == ("Gateway", "edge")
    assert event["regarding"]["uid"]
    assert "Address already in use" in event["note"]
    assert event["reportingInstance"] == "one"


async def test_who_leads_is_told_on_the_lease(api: assets.ApiServer, admin: Access) -> None:
    space = await namespace(admin, "leads")
    async with controller(api, space, "one"):
        event = await happened(admin, space, "LeaderElection")
    assert event["regarding"]["kind"] == "Lease"
    assert event["note"] == "one became leader"


async def test_what_happens_again_is_counted_in_one_event(admin: Access) -> None:
    space = await namespace(admin, "counted")
    writer = Events(admin, "one")
    writer.repeat_seconds = 0.0
    task = asyncio.create_task(writer.run())
    about = About("gateway.networking.k8s.io/v1", "Gateway", space, "edge")
    try:
        for _ in range(3):
            writer.tell(Happened(about, "Odd", "Try", "an odd thing"))
            await happened(admin, space, "Odd")
        async with asyncio.timeout(20):
            while (await listed(admin, space))[0].get("series", {}).get("count") != 3:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert len(await listed(admin, space)) == 1
        # Whoever has deleted it, or whose hour it is, is told anew.
        await admin.delete(EVENTS, Name(space, (await listed(admin, space))[0]["metadata"]["name"]))
        writer.tell(Happened(about, "Odd", "Try", "an odd thing"))
        await happened(admin, space, "Odd")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def listed(access: Access, space: str) -> list[dict[str, Any]]:
    found = msgspec.json.decode(await access.get(EVENTS.path(Name(space, ""))))
    return list(found["items"])


async def test_who_may_write_none_and_who_has_too_many_hold_up_nobody(
    api: assets.ApiServer,
) -> None:
    access = api.access("nobody")
    writer = Events(access, "one")
    about = About("gateway.networking.k8s.io/v1", "Gateway", "default", "edge")
    for number in range(3 * events.MOST_WAITING):
        writer.tell(Happened(about, "Odd", "Try", f"odd thing {number}"))
    assert len(writer._waiting) == events.MOST_WAITING
    task = asyncio.create_task(writer.run())
    await asyncio.sleep(1.0)
    assert not task.done(), "it goes on though each is refused"
    assert len(writer._waiting) < events.MOST_WAITING
    assert len(writer._waiting) > events.MOST_WAITING - 3 * events.WRITES_PER_SECOND
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await access.close()
