"""Gateways' Envoys deployed: what is missing or differs is applied, what is others' left alone."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import msgspec
import structlog

from serai.api.meta import Key
from serai.kube.access import FIELD_MANAGER, Access
from serai.kube.deployed import Deployed
from serai.kube.deployment import Objects
from serai.kube.resource import Resource
from serai.kube.wire import Name

log = structlog.get_logger(__name__)

HANDOVER = f"{FIELD_MANAGER}-handover"
"""Owns a Deployment's replicas from when we give them up until an autoscaler says how many."""

Json = dict[str, Any]


def digest_of(objects: Objects) -> bytes:
    """The same for the same objects only."""
    return sha256(msgspec.json.encode([obj for _, obj in objects])).digest()


class NoLeaderError(Exception):
    """Somebody else may lead by now, and have deployed what is newer."""


class Deployer:
    """Applies each Gateway's objects when they change; their end is left to their owner's."""

    def __init__(self, access: Access, deployed: Deployed, leading: Callable[[], bool]) -> None:
        """`leading` is asked before each object: an API server may take its time."""
        self.writes = 0
        """Since the start, those that were taken."""
        self._access = access
        self._deployed = deployed
        self._leading = leading
        self._applied: dict[Key, bytes] = {}
        self._settling: set[Key] = set()
        """Gateways that are being settled, of which nothing was to be forgotten meanwhile."""

    def forget(self, gateway: Key | None = None) -> None:
        """Others may have applied something else meanwhile: look again, if None at everything."""
        if gateway is None:
            self._applied, self._settling = {}, set()
        else:
            self._applied.pop(gateway, None)
            self._settling.discard(gateway)

    async def settle(self, gateway: Key, objects: Objects) -> str:
        """Have a Gateway's objects as they should be.

        Raises ApiError; then try again.  NoLeaderError where we lead no more.

        Returns the object (``Kind name``) that has a name it needs and is not this Gateway's, so
        that all is left alone; empty if there is none.
        """
        digest = digest_of(objects)
        if self._applied.get(gateway) == digest:
            return ""
        self._settling.add(gateway)
        first = next(obj for _, obj in objects if obj is not None)
        uid, name = _owner(first), _name(first)
        found = [await self._access.read(resource, name) for resource, _ in objects]
        own = [there if there and uid in _owners(there) else None for there in found]
        for (resource, obj), there, ours in zip(objects, found, own, strict=True):
            if obj is not None and there != ours:
                # Somebody else deploys this Gateway, or needs the name.
                return f"{resource.kind} {name.name}"
        changed = [
            f"{resource.kind} {name.name}"
            for (resource, obj), ours in zip(objects, own, strict=True)
            if await self._settle(gateway, resource, name, ours, obj)
        ]
        if gateway in self._settling:
            self._applied[gateway] = digest
        log.info("deploy.applied", gateway=str(gateway), changed=changed)
        return ""

    async def _settle(
        self, gateway: Key, resource: Resource, name: Name, there: Json | None, obj: Json | None
    ) -> bool:
        """Whether anything is other than it was."""
        if not self._leading():
            raise NoLeaderError
        if obj is None:
            if there is not None:
                self._deployed.removed(resource, name)
                await self._access.delete(resource, name, there["metadata"]["uid"])
            return there is not None
        if there is not None and _gives_up_replicas(resource, there, obj):
            replicas = {"replicas": there["spec"]["replicas"]}
            kept = {"metadata": {"name": name.name}, "spec": replicas}
            await self._access.apply(resource, name, kept, manager=HANDOVER)
        answer = await self._access.apply(resource, name, obj)
        self.writes += 1
        self._deployed.applied(gateway, resource, name, answer)
        return there is None or _version(there) != _version(answer)


def _gives_up_replicas(resource: Resource, there: Json, obj: Json) -> bool:
    """Whether the number of Pods is ours, and somebody else's to say from now on.

    A field that its only owner no longer applies falls back to its default, here one Pod.
    """
    if resource.kind != "Deployment" or "replicas" in obj.get("spec", {}):
        return False
    return any(
        "f:replicas" in (each.get("fieldsV1") or {}).get("f:spec", {})
        for each in there["metadata"].get("managedFields", ())
        if each.get("manager") == FIELD_MANAGER
    )


def _owner(obj: Json) -> str:
    return str(obj["metadata"]["ownerReferences"][0]["uid"])


def _owners(there: Json) -> set[str]:
    return {str(each.get("uid")) for each in there["metadata"].get("ownerReferences", ())}


def _name(obj: Json) -> Name:
    return Name(obj["metadata"]["namespace"], obj["metadata"]["name"])


def _version(obj: Json) -> str:
    return str(obj["metadata"].get("resourceVersion", ""))
