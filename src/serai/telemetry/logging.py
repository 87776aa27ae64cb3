"""How logs look: lines for a person on a terminal, JSON elsewhere; one event a line."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal, TextIO

import structlog

Format = Literal["auto", "console", "json"]

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

KEYS = (
    *("time", "level", "scope", "msg"),
    *("object", "gateway", "proxy", "generation", "took_ms", "code", "error"),
)
"""The order of keys: every event has the first four; keys that are not here follow by name."""

Event = MutableMapping[str, Any]


def configure(level: str = "info", form: Format = "auto", stream: TextIO | None = None) -> None:
    """Set up all logging of the process, to standard error unless told otherwise.

    `level` may name others for some scopes, as ``info,xds=debug`` does; a scope is a package
    within Serai: ``serai.xds.delta`` logs in the scope ``xds``.  Raises ValueError for a level
    that isn't one of LEVELS.
    """
    out = stream or sys.stderr
    levels = parse_level(level)
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False)
    errors: list[Any] = [structlog.processors.format_exc_info]
    if form == "console" or (form == "auto" and out.isatty()):
        renderer, errors = _console(out), []
    structlog.configure(
        processors=[
            _Scopes(levels),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.EventRenamer("msg"),
            *errors,
            in_order,
            renderer,
        ],
        logger_factory=lambda *names: _Lines(out, names[0] if names else ""),
        wrapper_class=structlog.make_filtering_bound_logger(min(levels.values())),
        cache_logger_on_first_use=False,
    )


def parse_level(text: str) -> dict[str, int]:
    """Levels by scope, that of all other scopes under the empty name.

    Raises ValueError for a level that isn't one of LEVELS.
    """
    levels = {"": LEVELS["info"]}
    for part in (each.strip() for each in text.split(",") if each.strip()):
        scope, _, level = part.rpartition("=")
        if level.lower() not in LEVELS:
            raise ValueError(f"{level!r} is not a level; there are: {', '.join(LEVELS)}")
        levels[scope] = LEVELS[level.lower()]
    return levels


def in_order(_: Any, __: str, event: Event) -> Mapping[str, Any]:
    """The event, with its keys in their order."""
    known = {key: event[key] for key in KEYS if key in event}
    return known | {key: event[key] for key in sorted(event.keys() - known.keys())}


class _Scopes:
    """Says which package an event comes from, and drops it where that one is to be quieter."""

    def __init__(self, levels: Mapping[str, int]) -> None:
        self._levels = levels

    def __call__(self, logger: _Lines, method: str, event: Event) -> Event:
        scope = logger.name.removeprefix("serai.").partition(".")[0]
        least = self._levels.get(scope, self._levels[""])
        if LEVELS.get(method, logging.ERROR) < least:
            raise structlog.DropEvent
        event["scope"] = scope
        return event


class _Lines:
    """Writes finished lines; knows the name of the module that logs."""

    def __init__(self, out: TextIO, name: str) -> None:
        self._out = out
        self.name = name

    def write(self, line: str) -> None:
        """Write a line at once."""
        self._out.write(line + "\n")
        self._out.flush()

    debug = info = warning = error = critical = exception = write


def _console(out: TextIO) -> Any:
    colors = out.isatty() and not os.environ.get("NO_COLOR")
    return structlog.dev.ConsoleRenderer(
        colors=colors, event_key="msg", timestamp_key="time", sort_keys=False
    )
