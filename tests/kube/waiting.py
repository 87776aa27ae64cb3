"""Until an API server, or a controller, is as a test wants it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from kube.manifests import (
    Json,
)
from serai.kube.access import Access
from serai.kube.deployment import RESOURCES
from serai.kube.events import EVENTS
from serai.kube.resource import Resource
from serai.kube.wire import Name


async def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110  there is nothing to wait for
            await asyncio.sleep(0.02)


async def status(access: Access, resource: Resource, space: str, name: str) -> dict[str, Any]:
    found = await access.read(resource, Name(space, name))
    assert found is not None
    return dict(found.get("status") or {})


async def told(
    access: Access, resource: Resource, space: str, name: str, field: str
) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while field not in (found := await status(access, resource, space, name)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return found


def conditions(entry: dict[str, Any]) -> dict[str, str]:
    return {each["type"]: each["status"] for each in entry["conditions"]}


async def happened(access: Access, space: str, reason: str) -> dict[str, Any]:
    """The first Event of a reason in a namespace."""
    async with asyncio.timeout(20):
        while True:
            data = msgspec.json.decode(await access.get(EVENTS.path(Name(space, ""))))
            for event in data["items"]:
                if event["reason"] == reason:
                    return dict(event)
            await asyncio.sleep(0.05)


async def deployed(access: Access, space: str, name: str = "edge") -> list[dict[str, Any]]:
    async with asyncio.timeout(20):
        while True:
            found = [await access.read(each, Name(space, name)) for each in RESOURCES]
            if all(found):
                return [each for each in found if each]
            await asyncio.sleep(0.05)


async def when(
    access: Access, resource: Resource, name: Name, true: Callable[[Json], bool]
) -> Json:
    """An object, once it is as it should be."""
    async with asyncio.timeout(20):
        while True:
            found = await access.read(resource, name)
            if found is not None and true(found):
                return found
            await asyncio.sleep(0.05)


async def gone(access: Access, resource: Resource, name: Name) -> None:
    async with asyncio.timeout(20):
        while await access.read(resource, name) is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
