"""Envoy's own log: which of its lines a person must see, and what they mean.  Pure."""

from __future__ import annotations

import re

import msgspec

LOG_FORMAT = "[%Y-%m-%d %T.%e][%P][%t][%l][%n] [%g:%#] %v"
"""Envoy's default with the process (%P) added, as two Envoys may share a file for a moment."""

REPEAT_SECONDS = 60.0
"""The same statement of Envoy's source is told once in this time."""

_LINE = re.compile(
    r"\[(?P<time>[^\]]+)\]\[(?P<pid>\d+)\]\[\d+\]\[(?P<level>\w+)\]\[(?P<component>[^\]]+)\]"
    r" \[(?P<source>[^\]]+)\] (?P<text>.*)"
)
_CAN_NOT_BIND = re.compile(
    r"cannot bind '(?P<host>\[[^\]]+\]|[^':]+):(?P<port>\d+)': Address already in use"
)
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)")
_CONTROLS = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_WORTH_TELLING = frozenset({"warning", "error", "critical"})
_NOISE = (
    # We sent it.
    "caught ENVOY_SIGTERM",
    # Our xDS server is told of every rejected resource by NACK, and tells it on its object.
    "gRPC config for type.googleapis.com/",
    "delta config for type.googleapis.com/",
    # A matcher of addresses, which Envoy has no stable form of.
    "message 'xds.type.matcher.v3.IPMatcher",
    "message 'xds.core.v3.CidrRange",
)


class LogLine(msgspec.Struct, frozen=True):
    """One line of the log."""

    pid: int
    level: str
    component: str
    source: str
    """File and line of Envoy's source."""
    text: str


class TakenAddress(msgspec.Struct, frozen=True):
    """An address that Envoy could not bind because a socket is bound to it already."""

    host: str
    port: int


def parse_line(line: str) -> LogLine | None:
    """A line written with LOG_FORMAT; None for anything else, such as an access log's."""
    found = _LINE.fullmatch(line.rstrip("\n"))
    if found is None:
        return None
    pid, level, component, source, text = found.group("pid", "level", "component", "source", "text")
    return LogLine(int(pid), level, component, source, _unescaped(text))


def is_worth_telling(line: LogLine) -> bool:
    """Whether a line is a warning or worse, and not one that is known and told elsewhere."""
    return line.level in _WORTH_TELLING and not line.text.startswith(_NOISE)


def taken_address(text: str) -> TakenAddress | None:
    """The address that could not be bound, if that is what a line says."""
    found = _CAN_NOT_BIND.search(text)
    return TakenAddress(found["host"].strip("[]"), int(found["port"])) if found else None


def _unescaped(text: str) -> str:
    """What --log-format-escaped made of a text, undone; lines broken in it are joined by spaces."""
    raw = _ESCAPE.sub(lambda found: _plain(found[1]), text.encode())
    return " ".join(raw.decode(errors="replace").split())


def _plain(escape: bytes) -> bytes:
    if escape.isdigit():
        return bytes([int(escape, 8) & 0xFF])
    return _CONTROLS.get(escape, escape)


class Repetitions:
    """Lets each statement of Envoy's source through once in REPEAT_SECONDS."""

    def __init__(self) -> None:
        """Nothing was told yet."""
        self._told: dict[tuple[str, str], float] = {}

    def is_new(self, line: LogLine, now: float) -> bool:
        """Whether to tell a line at time `now` (monotonic seconds), which then counts as told."""
        # Two ports that can't be bound come from one statement and are two stories.
        taken = taken_address(line.text)
        key = ("", str(taken)) if taken else (line.source, line.level)
        told = self._told.get(key)
        if told is not None and now - told < REPEAT_SECONDS:
            return False
        self._told[key] = now
        return True
