"""What every proxy should have, changed in place as objects change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import TypeAlias

from serai.ir.viewpoint import Viewpoint
from serai.xds.references import references
from serai.xds.resource import Resource, ResourceKey, ResourceType


class Entry:
    """A resource and what conversations need of it, worked out once and shared by all of them."""

    __slots__ = ("_digest", "_references", "resource")

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
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


Changes: TypeAlias = Mapping[ResourceKey, Resource | None]
"""New and changed resources; None for those that went."""

Place: TypeAlias = tuple[str, Viewpoint]
"""Where some of a proxy's clients are."""

_Own: TypeAlias = dict[ResourceType, dict[str, Entry]]


class _Seen(Mapping[str, Entry]):
    """What all clients of a proxy have, but for what is different at one place.  Live."""

    def __init__(self, shared: Mapping[str, Entry], own: Mapping[str, Entry]) -> None:
        self._shared = shared
        self._own = own

    def __getitem__(self, name: str) -> Entry:
        shared = self._shared[name]
        return self._own.get(name, shared)

    def __iter__(self) -> Iterator[str]:
        return iter(self._shared)

    def __len__(self) -> int:
        return len(self._shared)


class World:
    """What every proxy should have, by proxy (a Gateway's ``namespace/name``)."""

    def __init__(self) -> None:
        self._proxies: dict[str, _Own] = {}
        self._places: dict[Place, _Own] = {}

    def resources(self, proxy: str, viewpoint: Viewpoint | None = None) -> Resources | None:
        """A live view of what a proxy should have, where its client is at a place of its own.

        None if there is no such proxy (yet), or nobody has looked from that place (yet).
        """
        shared = self._proxies.get(proxy)
        if viewpoint is None or shared is None:
            return shared
        own = self._places.get((proxy, viewpoint))
        return own and {type_: _Seen(shared[type_], own[type_]) for type_ in ResourceType}

    def look(self, changes: Mapping[Place, Changes | None]) -> dict[Place, tuple[ResourceKey, ...]]:
        """Makes changes to what is different at places; None: nobody is there any more.

        Every place named otherwise is known from then on, even where nothing is different.
        """
        changed: dict[Place, tuple[ResourceKey, ...]] = {}
        for place, wanted in changes.items():
            if wanted is None:
                self._places.pop(place, None)
            else:
                own = self._places.setdefault(place, {type_: {} for type_ in ResourceType})
                changed[place] = self._change(own, wanted)
        return changed

    def apply(self, changes: Mapping[str, Changes]) -> dict[str, tuple[ResourceKey, ...]]:
        """Makes the changes (None: removed) and says per proxy what really differs from before.

        The work is proportional to the changes.  Every proxy named in them exists from then on,
        even where it has nothing.
        """
        found: dict[str, tuple[ResourceKey, ...]] = {}
        for proxy, wanted in changes.items():
            shared = self._proxies.setdefault(proxy, {type_: {} for type_ in ResourceType})
            found[proxy] = self._change(shared, wanted)
        return found

    def _change(self, resources: _Own, wanted: Changes) -> tuple[ResourceKey, ...]:
        changed = []
        for key, resource in wanted.items():
            entries = resources[key.type]
            before = entries.get(key.name)
            if resource is None:
                if before is not None:
                    del entries[key.name]
                    changed.append(key)
            elif before is None or before.version != resource.version:
                entries[resource.name] = Entry(resource)
                changed.append(key)
            elif before.resource.origins != resource.origins:
                entries[resource.name] = Entry(resource)
        return tuple(changed)
