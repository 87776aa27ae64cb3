"""How many resources that a client has, or may have, name each other resource."""

from __future__ import annotations

from collections import Counter

from serai.xds.resource import ResourceKey, ResourceType
from serai.xds.world import Entry


class Uses:
    """References counted by what they point to, over all types of one conversation."""

    def __init__(self) -> None:
        self._counts: dict[ResourceType, Counter[str]] = {
            type_: Counter() for type_ in ResourceType
        }
        self._freed: set[ResourceKey] = set()

    def add(self, entry: Entry | None) -> None:
        """The client may have the entry from now on."""
        if entry is not None:
            for key in entry.references:
                self._counts[key.type][key.name] += 1

    def drop(self, entry: Entry | None) -> None:
        """The client hasn't got the entry any more, or not this many times."""
        if entry is None:
            return
        for key in entry.references:
            counts = self._counts[key.type]
            counts[key.name] -= 1
            if not counts[key.name]:
                del counts[key.name]
                self._freed.add(key)

    def any(self, key: ResourceKey) -> bool:
        """Whether anything that the client may have names the key."""
        return key.name in self._counts[key.type]

    def freed(self) -> set[ResourceKey]:
        """What went out of use since this was last asked."""
        freed, self._freed = self._freed, set()
        return freed
