"""Which VIPs were handed out, on disk: a line for each object, of which the last one counts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from serai.api.meta import Key
from serai.envoy.state import write_atomically
from serai.model.service import Address
from serai.model.vips import History, Vips


class _Line(msgspec.Struct, frozen=True):
    """What one object has now; nothing if it gave it up."""

    key: tuple[str, str, str] | None = None
    held: tuple[tuple[str, str], ...] = ()
    """Host and address."""
    last: dict[str, str] = {}
    """By range: the address that had been handed out last; on the line that ends a change."""


class VipJournal:
    """Appends what changes, so that a change costs no more with many objects."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: dict[Key, tuple[Address, ...]] = {}
        self._last: dict[str, str] = {}

    def read(self) -> History:
        """What the last run left; whatever cannot be read is as if it had never been written."""
        try:
            lines = self._path.read_bytes().splitlines()
        except OSError:
            lines = []
        for text in lines:
            try:
                line = msgspec.json.decode(text, type=_Line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            if line.key is not None:
                self._set(Key(*line.key), tuple(Address(cidr, host) for host, cidr in line.held))
            self._last.update(line.last)
        return History(dict(self._held), dict(self._last))

    def compact(self) -> None:
        """Write what counts and nothing else.  Raises OSError if it cannot be written."""
        if self._held or self._path.exists():
            write_atomically(self._path, self._lines(self._held))

    def append(self, changed: Mapping[Key, Vips | None], last: Mapping[str, str]) -> None:
        """Write what has changed.  Raises OSError if it cannot be written."""
        new = {key: vips.addresses if vips else () for key, vips in changed.items()}
        new = {key: held for key, held in new.items() if self._held.get(key, ()) != held}
        if not new:
            return
        self._last = dict(last)
        for key, held in new.items():
            self._set(key, held)
        with self._path.open("ab") as file:
            # What a crash left unfinished ends here.
            file.write(b"\n" + self._lines(new))

    def _set(self, key: Key, held: tuple[Address, ...]) -> None:
        if held:
            self._held[key] = held
        else:
            self._held.pop(key, None)

    def _lines(self, rows: Mapping[Key, tuple[Address, ...]]) -> bytes:
        lines = [
            _Line(key, tuple((each.host, each.cidr) for each in held))
            for key, held in sorted(rows.items())
        ]
        lines.append(_Line(last=self._last))
        return b"".join(msgspec.json.encode(each) + b"\n" for each in lines)
