"""What every row has in common: how it is written as JSON, and how it names objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from serai.api.meta import Key
from serai.ir.cluster import Locality

API_VERSION = "serai.dev/cli/v1"
"""The version of every JSON shape here; a change that could break a reader changes it."""


class Row(msgspec.Struct, frozen=True, rename="camel"):
    """Base of every row: a flat value with all of its fields always there."""


class RowList(msgspec.Struct, frozen=True, rename="camel"):
    """Rows of one kind, as ``-o json`` and the admin API give them."""

    api_version: str
    kind: str
    """Such as ServiceList."""
    items: tuple[Any, ...]


def row_list(kind: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Rows as plain values, with their version and kind; `kind` is that of one row."""
    listed = RowList(API_VERSION, f"{kind}List", tuple(rows))
    plain: dict[str, Any] = msgspec.to_builtins(listed)
    return plain


def object_name(key: Key) -> str:
    """``Kind/namespace/name``, or ``Kind/name`` for what is in no namespace."""
    return "/".join(part for part in key if part)


def locality_name(locality: Locality) -> str:
    """``region/zone/subzone`` as far as it is known."""
    return f"{locality.region}/{locality.zone}/{locality.subzone}".rstrip("/")
