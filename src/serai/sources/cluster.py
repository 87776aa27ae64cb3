"""The objects of a Kubernetes cluster as a source: what an API server told, typed and scoped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import msgspec

from serai.api.core import Namespace
from serai.api.decode import decode
from serai.api.kinds import CORE, DISCOVERY, KINDS, Kind
from serai.api.meta import Key, LabelSelector, Object
from serai.api.problem import Problem
from serai.attach.selectors import NAMESPACE_NAME, matches
from serai.sources.batch import Batch

QUIET_SECONDS = 0.05
"""After this long without a change, the next one is taken at once."""
BURST_SECONDS = 0.01
"""Else more is waited for: for as long as the last batch took to apply, at most for this long."""
WORTH_SECONDS = 0.002
"""A batch that took less was one change or two: no other waits for it."""

REVISION = "istio.io/rev"
"""The label that says which control plane an object is for."""

DEFAULT_REVISION = "default"

_PLAIN = frozenset({CORE.group, DISCOVERY.group})
"""Groups whose objects Serai takes as the API server has checked them."""


class Scope(msgspec.Struct, frozen=True):
    """Which of a cluster's objects are looked at."""

    namespaces: tuple[LabelSelector, ...] = ()
    """Only namespaces that any of these selects; none: all.  Istio: discoveryNamespaceSelectors."""
    revision: str = DEFAULT_REVISION
    """Of Gateway API's, Istio's and policies' objects: those of this revision, or of none."""


class ClusterSource:
    """Turns what is told of objects into batches.

    An object that cannot be used is not in force, and told: what every replica reads from the same
    cluster must be the same, so no version that only one of them has seen is kept.  If it may
    restrict who gets in, one that says that it cannot be read is in force.
    """

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._held: dict[str, dict[Key, Object]] = {}
        """By namespace: every object there is, in scope or not."""
        self._selected: dict[str, bool] = {}
        """By namespace that exists."""
        self._problems: dict[Key, tuple[Problem, ...]] = {}
        self._changed: dict[Key, Object] = {}
        self._removed: dict[Key, None] = {}
        self._in_force: set[Key] = set()
        self._told = False
        self._news = asyncio.Event()

    def take(self, kind: Kind, put: Iterable[bytes], gone: Iterable[Key] = ()) -> None:
        """Objects of a kind in JSON that are new or changed, and those that went."""
        for key in gone:
            self._drop(key)
        for raw in put:
            self._put(kind, raw)
        self._news.set()

    def tell(self) -> None:
        """Something is to be told again, though no object has changed."""
        self._told = True
        self._news.set()

    def batch(self) -> Batch:
        """What has changed since the last batch."""
        changed, self._changed = self._changed, {}
        removed, self._removed = self._removed, {}
        self._told = False
        self._news.clear()
        problems = [problem for found in self._problems.values() for problem in found]
        return Batch(
            changed,
            frozenset(removed),
            tuple(sorted(problems, key=lambda each: (str(each.key), each.path, each.code))),
            objects=len(self._in_force),
        )

    async def changes(self) -> AsyncIterator[Batch]:
        """Every later change: a single one at once, those of a storm gathered into few batches."""
        loop = asyncio.get_running_loop()
        latest, took = -QUIET_SECONDS, 0.0
        while True:
            await self._news.wait()
            is_storm = loop.time() - latest < QUIET_SECONDS
            gathers = is_storm and took >= WORTH_SECONDS
            await asyncio.sleep(min(took, BURST_SECONDS) if gathers else 0)
            if self._changed or self._removed or self._told:
                began = loop.time()
                yield self.batch()
                latest = loop.time()
                took = latest - began
            else:
                self._news.clear()

    def _put(self, kind: Kind, raw: bytes) -> None:
        key, obj, problems = read_object(kind, raw)
        if key is None:
            return
        before = self._problems.get(key, ())
        self._problems.pop(key, None)
        if problems:
            self._problems[key] = problems
        self._told = self._told or before != problems
        if obj is None:
            self._drop(key, keep_problems=True)
            return
        self._held.setdefault(key.namespace, {})[key] = obj
        self._settle(key, obj)
        if isinstance(obj, Namespace):
            self._select(key.name, selected=self._selects(obj))

    def _drop(self, key: Key, *, keep_problems: bool = False) -> None:
        if not keep_problems and key in self._problems:
            del self._problems[key]
            self._told = True
        held = self._held.get(key.namespace, {})
        held.pop(key, None)
        if not held:
            self._held.pop(key.namespace, None)
        self._remove(key)
        if key.kind == Namespace.__name__:
            self._select(key.name, selected=None)

    def _select(self, namespace: str, *, selected: bool | None) -> None:
        """The labels of a namespace have been read; None: it is gone."""
        before = self._selected.get(namespace)
        if selected is not None:
            self._selected[namespace] = selected
        elif before is not None:
            del self._selected[namespace]
        if before is not selected and self._scope.namespaces:
            for key, obj in list(self._held.get(namespace, {}).items()):
                self._settle(key, obj)

    def _selects(self, namespace: Namespace) -> bool:
        labels = {**namespace.metadata.labels, NAMESPACE_NAME: namespace.metadata.name}
        return any(matches(each, labels) for each in self._scope.namespaces)

    def _settle(self, key: Key, obj: Object) -> None:
        """Put an object in force, or out of it."""
        if not self._in_scope(key, obj):
            self._remove(key)
            return
        self._in_force.add(key)
        self._removed.pop(key, None)
        self._changed[key] = obj

    def _remove(self, key: Key) -> None:
        self._changed.pop(key, None)
        if key in self._in_force:
            self._in_force.remove(key)
            self._removed[key] = None

    def _in_scope(self, key: Key, obj: Object) -> bool:
        revision = obj.metadata.labels.get(REVISION, self._scope.revision)
        if revision != self._scope.revision and not isinstance(obj, _OF_NO_REVISION):
            return False
        if not key.namespace or not self._scope.namespaces:
            return True
        return self._selected.get(key.namespace, False)


def read_object(kind: Kind, raw: bytes) -> tuple[Key | None, Object | None, tuple[Problem, ...]]:
    """An object of a kind, in JSON as an API server gives it.

    What is Kubernetes' own is read straight into its Struct, since there are many of it and the
    server has checked it; of others all that is asked for and not done is told, fields that only a
    later release knows among it.
    """
    if kind.group in _PLAIN:
        try:
            obj = msgspec.json.decode(raw, type=kind.struct)
        except msgspec.ValidationError:
            pass  # mostly a null; what else it is will be told
        else:
            problems = tuple(kind.check(obj))
            usable = all(problem.severity != "error" for problem in problems)
            found = tuple(msgspec.structs.replace(each, key=obj.key) for each in problems)
            return obj.key, obj if usable else None, found
    plain: Any = msgspec.json.decode(raw)
    typed = {**plain, "apiVersion": kind.api_version, "kind": kind.name}
    decoded = decode(typed, admitted=True)
    return decoded.key, decoded.object or decoded.stands_in, decoded.problems


_OF_NO_REVISION = tuple(kind.struct for kind in KINDS if kind.group in _PLAIN)
