"""What happens to the Envoys we run, as values for whoever shows or counts it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

EventKind = Literal[
    "started",
    "ready",
    "adopted",
    "log",
    "port-taken",
    "died",
    "crash-looping",
    "not-started",
    "outdated",
    "draining",
    "stopped",
]

State = Literal["starting", "ready", "backoff", "crash-looping", "draining"]


class FleetEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened to a Gateway's Envoy."""

    kind: EventKind
    gateway: str
    message: str
    """A sentence for a person."""
    remedy: str = ""
    pid: int = 0
    """0 where there is no process."""
    details: dict[str, str | int | float] = {}


class EnvoyStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a Gateway's Envoy is."""

    gateway: str
    state: State
    pid: int = 0
    admin: str = ""
    """``host:port`` of its admin interface; empty until known."""
    restarts: int = 0
    """How often it was started again after a death, by us."""
    access_log: str = ""
    """A line of JSON for each request (xds.encode.access_log has the fields)."""


Emit = Callable[[FleetEvent], None]
