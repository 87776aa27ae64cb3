"""The record that every setting of a listener policy fills in, and what it comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import Message

from serai.ir.origin import Value
from serai.policies.feature import Compiled, Context, Fault


class Changes(Value, frozen=True):
    """What a setting changes, as fields of Envoy's messages."""

    manager: Mapping[str, Any] = {}
    """Of the HTTP connection manager; what is nested is merged with what others set there."""
    listener: Mapping[str, Any] = {}
    """Of the listener."""
    chain: Mapping[str, Any] = {}
    """Of each filter chain."""
    filters: tuple[tuple[str, Message], ...] = ()
    """HTTP filters that answer once it is decided who may call."""
    listener_filters: tuple[tuple[str, Message], ...] = ()
    """They read a connection's first bytes, before any other."""
    early: tuple[Mapping[str, Any], ...] = ()
    """Changes to headers before a route is chosen."""


class Setting(Value, frozen=True):
    """One field of a listener policy."""

    field: str
    """As users know it."""
    attribute: str
    """The field of the Struct."""
    compile: Callable[[Context, Any], Compiled | Fault]
    """From the spec to a neutral value."""
    encode: Callable[[Any], Changes]
    """From that value to Envoy's configuration."""
    http: bool = True
    """Whether it is one of httpSettings, and for listeners that speak HTTP."""
    of_port: bool = False
    """Whether Envoy has it once for a port, whatever listeners share it."""
    at_gateways: bool = False
    """Whether it is for gateways only."""
    closed: str = ""
    """What follows where it cannot be had and must not be skipped; empty: it is left out."""


class Plain(Value, frozen=True):
    """A value that is taken as it is written."""

    held: bool | float | str


def plain(field: str, attribute: str, encode: Callable[[Any], Mapping[str, Any]]) -> Setting:
    """A setting of httpSettings whose value goes to the connection manager as it is."""

    def compiled(_: Context, written: Any) -> Compiled:
        return Compiled(Plain(written))

    return Setting(field, attribute, compiled, lambda value: Changes(manager=encode(value.held)))
