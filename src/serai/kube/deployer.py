"""Gateways' Envoys deployed: what is missing or differs is applied, what is others' left alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import structlog

from serai.api.meta import Key
from serai.kube.access import Access
from serai.kube.deployment import RESOURCES
from serai.kube.resource import Resource
from serai.kube.wire import Name

log = structlog.get_logger(__name__)

Json = dict[str, Any]


class Deployer:
    """Applies each Gateway's objects when they change; their end is left to their owner's."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._applied: dict[Key, bytes] = {}

    def forget(self) -> None:
        """Others may have applied something else meanwhile: look at everything again."""
        self._applied = {}

    def settled(self, gateway: Key) -> bool:
        """Whether a Gateway was looked at, and deployed or left alone."""
        return gateway in self._applied

    async def settle(self, gateway: Key, objects: Sequence[Json]) -> None:
        """Have a Gateway's objects as they should be.  Raises ApiError; then try again."""
        digest = msgspec.json.encode(objects)
        if self._applied.get(gateway) == digest:
            return
        for resource, obj in zip(RESOURCES, objects, strict=True):
            if not await self._settle(gateway, resource, obj):
                # Somebody else deploys this Gateway, or needs the name.
                log.warning("deploy.left_alone", gateway=str(gateway), object=resource.kind)
                break
        else:
            log.info("deploy.applied", gateway=str(gateway))
        self._applied[gateway] = digest

    async def _settle(self, gateway: Key, resource: Resource, obj: Json) -> bool:
        """Whether the object is this Gateway's own, and so was applied."""
        name = Name(gateway.namespace, obj["metadata"]["name"])
        there = await self._access.read(resource, name)
        uid = obj["metadata"]["ownerReferences"][0]["uid"]
        owners = (there or {}).get("metadata", {}).get("ownerReferences", [])
        if there is not None and all(each.get("uid") != uid for each in owners):
            return False
        await self._access.apply(resource, name, obj)
        return True
