"""What Envoys refused, found by proxy and by the objects it came from."""

from __future__ import annotations

from serai.api.meta import Key
from serai.incremental import Graph, Index, Node, Reader
from serai.ir.origin import Origin, Value
from serai.xds.resource import ResourceKey, ResourceType
from serai.xds.snapshot import SnapshotKey

BY_ENVOY = "SER0701"
"""The code of the problem that tells what Envoy refused."""

_OF_LISTENERS = {ResourceType.LISTENER, ResourceType.FILTER_CHAIN, ResourceType.SECRET}


class Refusal(Value, frozen=True):
    """A version of a resource that is not in force at a proxy, and why."""

    resource: ResourceKey
    message: str
    origins: tuple[Origin, ...]
    code: str = BY_ENVOY
    """Of the problem that tells it: Envoy refused it, or it is held back for another reason."""
    remedy: str = "Correct the object; a new version is sent at once."


class Refusals:
    """Refusals, by whom they concern."""

    def __init__(self, graph: Graph, refusals: Node[SnapshotKey, Refusal]) -> None:
        self._refusals = refusals
        self._by_object: Index[Key, SnapshotKey] = Index(
            graph,
            "refusals by object",
            refusals,
            lambda _, refusal: (origin.key for origin in refusal.origins),
        )
        self._listeners: Index[Key, SnapshotKey] = Index(
            graph,
            "refusals of listeners",
            refusals,
            lambda key, _: (key.proxy,) if key.resource.type in _OF_LISTENERS else (),
        )

    def of_object(self, reader: Reader, key: Key) -> list[Refusal]:
        """What was refused of that to which an object contributed."""
        return [row for _, row in reader.rows(self._by_object, key, self._refusals)]

    def of_listeners(self, reader: Reader, proxy: Key) -> list[Refusal]:
        """The listeners of a proxy that were refused, their chains and their certificates."""
        return [row for _, row in reader.rows(self._listeners, proxy, self._refusals)]
