"""What an API server keeps of one kind: objects, what happened to them, what is forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from serai.kube.wire import Event, Failure, Item, Name, Page

EXPIRED = Failure(410, "Expired", "too old resource version")


class Store:
    """One kind's history.  Versions count up from 1."""

    def __init__(self) -> None:
        self.version = 1
        self.objects: dict[Name, Item] = {}
        self.compacted = 0
        """Nothing is known any more of what happened up to here."""
        self._log: list[tuple[int, Event]] = []
        self._snapshots: dict[int, tuple[Item, ...]] = {1: ()}
        self._uids = 0

    def put(self, name: Name, value: Any = None) -> Item:
        """Make an object or change it."""
        before = self.objects.get(name)
        self._uids += before is None
        uid = before.uid if before else f"uid-{self._uids}"
        item = self._item(name, uid, value if value is not None else self.version + 1)
        self.objects[name] = item
        self._happened(Event("MODIFIED" if before else "ADDED", item))
        return item

    def delete(self, name: Name) -> None:
        """Delete an object that is there."""
        before = self.objects.pop(name)
        self._happened(Event("DELETED", self._item(name, before.uid, None)))

    def compact(self) -> None:
        """Forget what happened."""
        self.compacted = self.version
        self._log = []
        self._snapshots = {self.version: self._snapshots[self.version]}

    def page(self, limit: int, token: str) -> Page | Failure:
        """A page of the list of one moment."""
        version, _, start = token.partition("/") if token else (str(self.version), "", "0")
        items = self._snapshots.get(int(version))
        if items is None:
            return EXPIRED
        first = int(start)
        last = first + limit if limit else len(items)
        more = f"{version}/{last}" if last < len(items) else ""
        return Page(items[first:last], version, more)

    def after(self, version: str) -> list[Event] | Failure:
        """All that happened after a moment."""
        if int(version) < self.compacted:
            return EXPIRED
        return [event for number, event in self._log if number > int(version)]

    def bookmark(self) -> Event:
        """How far a watch that has told everything is."""
        return Event("BOOKMARK", Item(Name("", ""), "", str(self.version), b"{}"))

    def _item(self, name: Name, uid: str, value: Any) -> Item:
        version = str(self.version + 1)
        meta = {"name": name.name, "namespace": name.namespace, "uid": uid}
        obj = {"metadata": {**meta, "resourceVersion": version}, "value": value}
        return Item(name, uid, version, json.dumps(obj).encode())

    def _happened(self, event: Event) -> None:
        self.version += 1
        self._log.append((self.version, event))
        ordered = sorted(self.objects.items())
        self._snapshots[self.version] = tuple(item for _, item in ordered)


def names(number: int = 6) -> Iterator[Name]:
    """Some names in two namespaces."""
    for each in range(number):
        yield Name("ab"[each % 2], f"n{each}")
