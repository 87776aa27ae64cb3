"""What is not in force at Envoys, told to the pipeline, which says so on the objects behind it."""

from __future__ import annotations

from collections.abc import Mapping

from serai.api.meta import Key
from serai.incremental import Table
from serai.xds.refusals import Refusal
from serai.xds.resource import ResourceKey
from serai.xds.snapshot import SnapshotKey


class Told:
    """The refusals of each proxy, as the pipeline last heard of them."""

    def __init__(self, table: Table[SnapshotKey, Refusal]) -> None:
        self._table = table
        self._told: dict[Key, Mapping[ResourceKey, Refusal]] = {}

    def of(self, proxy: Key) -> Mapping[ResourceKey, Refusal]:
        """Those of a proxy that the pipeline has heard of."""
        return self._told.get(proxy, {})

    def tell(self, proxy: Key, wanted: Mapping[ResourceKey, Refusal]) -> bool:
        """These are a proxy's from now on.  Whether that is news; commit then."""
        before = self._told.get(proxy, {})
        if wanted == before:
            return False
        for key in before.keys() - wanted.keys():
            self._table.drop(SnapshotKey(proxy, *key))
        for key, refusal in wanted.items():
            self._table.put(SnapshotKey(proxy, *key), refusal)
        self._told[proxy] = dict(wanted)
        return True
