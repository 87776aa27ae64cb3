"""What we deployed, as it is there: followed by its metadata, so that no other change stays.

What of an object is ours stands in its metadata.managedFields.  Who changes a field of ours takes
it out of there; fields that others add are theirs, and none of our business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from serai.api.meta import Key
from serai.kube.access import FIELD_MANAGER, Access
from serai.kube.deployment import RESOURCES
from serai.kube.reflector import Delta, Reflector
from serai.kube.resource import Resource
from serai.kube.scaling import AUTOSCALERS, BUDGETS
from serai.kube.shape import MANAGED_BY
from serai.kube.watcher import Watcher
from serai.kube.wire import Failure, Name

FOLLOWED = (*RESOURCES, AUTOSCALERS, BUDGETS)


class _Managed(msgspec.Struct, rename="camel"):
    manager: str = ""
    operation: str = ""
    subresource: str = ""
    time: str = ""
    fields_v1: Any = msgspec.field(name="fieldsV1", default=None)


class _Meta(msgspec.Struct, rename="camel"):
    managed_fields: list[_Managed] = []


class _Object(msgspec.Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)


_OBJECT = msgspec.json.Decoder(_Object)


class Drift(msgspec.Struct, frozen=True):
    """Something that we deployed is not as we left it."""

    gateway: Key
    kind: str
    name: str
    by: str = ""
    """Who wrote last, as far as that is known."""
    gone: bool = False


def ours(raw: bytes) -> bytes:
    """Which fields of an object in JSON are ours, to be compared for equality only."""
    mine = [each.fields_v1 for each in _managed(raw) if _is_ours(each)]
    return msgspec.json.encode(mine, order="sorted")


def last_writer(raw: bytes) -> str:
    """Who else wrote last, beside the status; empty if nobody did."""
    others = (each for each in _managed(raw) if not each.subresource and not _is_ours(each))
    return max(others, key=lambda each: each.time, default=_Managed()).manager


def _managed(raw: bytes) -> list[_Managed]:
    return _OBJECT.decode(raw).metadata.managed_fields


def _is_ours(managed: _Managed) -> bool:
    return (managed.manager, managed.operation, managed.subresource) == (
        FIELD_MANAGER,
        "Apply",
        "",
    )


class Deployed:
    """Tells what is no longer as it was applied."""

    def __init__(self, access: Access, tell: Callable[[Drift], None], random: Random) -> None:
        """`tell` hears of what others changed or deleted."""
        self._tell = tell
        self._left: dict[tuple[str, Name], tuple[Key, bytes]] = {}
        """Of what we applied: for which Gateway, and which fields were ours then."""
        self._watchers = [self._watcher(access, each, random) for each in FOLLOWED]

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for watcher in self._watchers:
                tasks.create_task(watcher.run())

    def troubles(self) -> dict[str, Failure]:
        """What cannot be followed now, by who it is."""
        return {
            each.name: each.reflector.trouble
            for each in self._watchers
            if each.reflector.trouble is not None
        }

    def applied(self, gateway: Key, resource: Resource, name: Name, answer: Any) -> None:
        """The API server has answered so when an object was applied."""
        fields = ours(msgspec.json.encode(answer))
        self._left[resource.kind, name] = gateway, fields

    def removed(self, resource: Resource, name: Name) -> None:
        """We are about to delete an object."""
        self._left.pop((resource.kind, name), None)

    def forget(self, gateway: Key) -> None:
        """The Gateway is gone, and with it all that it owned."""
        self._left = {key: left for key, left in self._left.items() if left[0] != gateway}

    def _watcher(self, access: Access, resource: Resource, random: Random) -> Watcher:
        async def find() -> Resource:
            return resource

        return Watcher(
            access,
            f"{resource.kind} of ours",
            find,
            Reflector(random),
            lambda delta: self._heard(resource.kind, delta),
            {"labelSelector": f"{MANAGED_BY}=serai"},
            metadata_only=True,
        )

    def _heard(self, kind: str, delta: Delta) -> None:
        for name in delta.gone:
            left = self._left.get((kind, name))
            if left is not None:
                self._tell(Drift(left[0], kind, name.name, gone=True))
        for item in delta.put:
            left = self._left.get((kind, item.name))
            if left is not None and ours(item.raw) != left[1]:
                self._tell(Drift(left[0], kind, item.name.name, last_writer(item.raw)))
