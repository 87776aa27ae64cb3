"""What every proxy should have, changed in place as objects change."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import TypeAlias
from weakref import WeakValueDictionary

from serai.xds.references import references
from serai.xds.resource import Resource, ResourceKey, ResourceType


class Entry:
    """A resource and what conversations need of it, worked out once and shared by all of them."""

    __slots__ = (
        "__weakref__",
        "_digest",
        "_references",
        "delta_head",
        "resource",
        "sotw_head",
    )

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.delta_head = b""
        """What stands before the body in a delta response; serai.xds.wire makes it when needed."""
        self.sotw_head = b""
        """The same in a state-of-the-world response."""
        self._digest = 0
        self._references: tuple[ResourceKey, ...] | None = None

    @property
    def name(self) -> str:
        """The resource's name."""
        return self.resource.name

    @property
    def version(self) -> str:
        """The resource's version, by content."""
        return self.resource.version

    @property
    def references(self) -> tuple[ResourceKey, ...]:
        """What Envoy must have for this resource to work."""
        if self._references is None:
            self._references = references(self.resource)
        return self._references

    @property
    def digest(self) -> int:
        """128 bits of name and version; their sum identifies a set, in whatever order it grew."""
        if not self._digest:
            text = f"{self.resource.name}\0{self.resource.version}".encode()
            self._digest = int.from_bytes(blake2b(text, digest_size=16).digest()) or 1
        return self._digest

    def __repr__(self) -> str:
        return f"Entry({self.resource.type.name} {self.name} @{self.version})"


Resources: TypeAlias = Mapping[ResourceType, Mapping[str, Entry]]
"""What one proxy should have, by type and name.  Live: it follows the world."""


class World:
    """What every proxy should have, by proxy (a Gateway's ``namespace/name``).

    Equal resources of several proxies are kept once.
    """

    def __init__(self) -> None:
        self._proxies: dict[str, dict[ResourceType, dict[str, Entry]]] = {}
        self._entries: WeakValueDictionary[tuple[object, ...], Entry] = WeakValueDictionary()

    def resources(self, proxy: str) -> Resources | None:
        """A live view of what the proxy should have; None if there is no such proxy (yet)."""
        return self._proxies.get(proxy)

    def apply(
        self, changes: Mapping[str, Mapping[ResourceKey, Resource | None]]
    ) -> dict[str, tuple[ResourceKey, ...]]:
        """Makes the changes (None: removed) and says per proxy what really differs from before.

        The work is proportional to the changes.  Every proxy named in them exists from then on,
        even where it has nothing.
        """
        return {proxy: self._apply_one(proxy, wanted) for proxy, wanted in changes.items()}

    def _apply_one(
        self, proxy: str, wanted: Mapping[ResourceKey, Resource | None]
    ) -> tuple[ResourceKey, ...]:
        resources = self._proxies.get(proxy)
        if resources is None:
            resources = self._proxies[proxy] = {type_: {} for type_ in ResourceType}
        changed = []
        for key, resource in wanted.items():
            entries = resources[key.type]
            before = entries.get(key.name)
            if resource is None:
                if before is not None:
                    del entries[key.name]
                    changed.append(key)
            elif before is None or before.version != resource.version:
                entries[key.name] = self._entry(resource)
                changed.append(key)
            elif before.resource.origins != resource.origins:
                entries[key.name] = self._entry(resource)
        return tuple(changed)

    def _entry(self, resource: Resource) -> Entry:
        identity = (resource.type, resource.name, resource.version, resource.origins)
        entry = self._entries.get(identity)
        if entry is None:
            entry = self._entries[identity] = Entry(resource)
        return entry
