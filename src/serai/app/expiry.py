"""Certificates that are out of their time: which, and when that is to be looked at again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop, heappush

from serai.api.meta import Key
from serai.model.key_pairs import Window


class Expiry:
    """The validity of the certificates that were seen."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now` gives the seconds since 1970."""
        self._now = now
        self._windows: dict[Key, Window] = {}
        self._moments: list[tuple[float, Key]] = []
        """When each is to be looked at again; those of former certificates do no harm."""

    def is_due(self) -> bool:
        """Whether a moment has come at which something changes."""
        return bool(self._moments) and self._moments[0][0] <= self._now()

    def look(
        self, changed: Iterable[Key], window: Callable[[Key], Window | None]
    ) -> dict[Key, str]:
        """What is wrong with the time of those that changed or are due; empty if nothing is."""
        now = self._now()
        due = dict.fromkeys(changed)
        for key in due:
            found = window(key)
            if found is None:
                self._windows.pop(key, None)
            else:
                self._windows[key] = found
        while self._moments and self._moments[0][0] <= now:
            due[heappop(self._moments)[1]] = None
        return {key: self._fault(key, now) for key in due}

    def _fault(self, key: Key, now: float) -> str:
        window = self._windows.get(key)
        if window is None:
            return ""
        coming = [each for each in (window.start, window.end) if each > now]
        if coming:
            heappush(self._moments, (coming[0], key))
        return window.fault(now)
