"""Which object is to be looked at next: kinds take turns, and none may take all there is.

Pure; times are seconds of a clock that never goes back.
"""

from __future__ import annotations

from collections import defaultdict

from serai.api.meta import Key

AT_ONCE = 4
"""Objects of one kind under way: where a kind takes long, others do not wait for it."""


class Queue:
    """When each is to be looked at, at the earliest."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[Key, float]] = {}
        """By kind; whose turn it is comes first."""
        self._busy: defaultdict[str, set[Key]] = defaultdict(set)

    def soon(self, key: Key) -> None:
        """Have it looked at, unless that is to be done later."""
        self._waiting.setdefault(key.kind, {}).setdefault(key, 0.0)

    def later(self, key: Key, at: float) -> None:
        """Have it looked at, but not before this time."""
        self._waiting.setdefault(key.kind, {})[key] = at

    def drop(self, key: Key) -> None:
        """It need not be looked at."""
        self._waiting.get(key.kind, {}).pop(key, None)

    def take(self, now: float) -> Key | None:
        """The next, which is under way until `done`; None: there is none now."""
        for kind, waiting in self._waiting.items():
            busy = self._busy[kind]
            if len(busy) >= AT_ONCE:
                continue
            due = (key for key, at in waiting.items() if at <= now and key not in busy)
            found = next(due, None)
            if found is not None:
                del waiting[found]
                busy.add(found)
                self._waiting[kind] = self._waiting.pop(kind)
                return found
        return None

    def done(self, key: Key) -> None:
        """It is under way no more."""
        self._busy[key.kind].discard(key)

    def soonest(self, now: float) -> float | None:
        """When the first of those that are to be looked at later is due."""
        ats = (at for waiting in self._waiting.values() for at in waiting.values() if at > now)
        return min(ats, default=None)
