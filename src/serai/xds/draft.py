"""A response in the making."""

from __future__ import annotations

from typing import Final

from serai.xds.world import Entry

MAX_RESOURCES: Final = 1_000
"""In one response."""
MAX_BYTES: Final = 3_000_000
"""Bodies of one response, where that leaves more than one resource; gRPC's usual limit is 4 MiB."""


class Draft:
    """Collects what goes into one response, until it is as large as a response should be."""

    def __init__(self, *, unlimited: bool) -> None:
        self.removals: list[str] = []
        self.additions: dict[str, Entry] = {}
        self._unlimited = unlimited
        self._bytes = 0

    def fits(self, entry: Entry) -> bool:
        """Whether there is room for the entry; there always is for the first."""
        if self._unlimited or not self.additions:
            return True
        return self._bytes + len(entry.resource.body) <= MAX_BYTES

    def add(self, name: str, entry: Entry) -> None:
        """Puts a resource in."""
        self.additions[name] = entry
        self._bytes += len(entry.resource.body)

    @property
    def full(self) -> bool:
        """Whether no more names are to be looked at."""
        return not self._unlimited and len(self.removals) + len(self.additions) >= MAX_RESOURCES

    def items(self) -> dict[str, Entry | None]:
        """Removals first: when the response must be divided, what they make room for follows."""
        return {**dict.fromkeys(self.removals), **self.additions}
