"""What an API server answers, read straight from the bytes; objects are left as they came."""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class Name(NamedTuple):
    """Which object of a kind; cluster-scoped ones have no namespace."""

    namespace: str
    name: str


class Item(msgspec.Struct, frozen=True):
    """One object at one moment."""

    name: Name
    uid: str
    version: str
    """metadata.resourceVersion, to be compared for equality only."""
    raw: bytes
    """The object in JSON."""


class Page(msgspec.Struct, frozen=True):
    """A part of a list."""

    items: tuple[Item, ...] = ()
    version: str = ""
    """The moment that the whole list is of."""
    more: str = ""
    """The token for the next page; empty at the end."""


class Event(msgspec.Struct, frozen=True):
    """One line of a watch: ADDED, MODIFIED, DELETED or BOOKMARK."""

    type: str
    item: Item


class Failure(msgspec.Struct, frozen=True):
    """Why a request was not answered as was hoped."""

    status: int = 0
    """Of HTTP; 0 where there was no answer at all."""
    reason: str = ""
    """Kubernetes' own word, such as ``Expired``."""
    message: str = ""
    retry_after: float = 0.0
    """Seconds that the server asks to wait."""

    def __str__(self) -> str:
        head = " ".join(part for part in (str(self.status or ""), self.reason) if part)
        return f"{head}: {self.message}" if head and self.message else head or self.message


class _Meta(msgspec.Struct, rename="camel"):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""


class _Head(msgspec.Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)


class _ListMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    continue_: str | None = msgspec.field(name="continue", default=None)


class _List(msgspec.Struct):
    metadata: _ListMeta = msgspec.field(default_factory=_ListMeta)
    items: list[msgspec.Raw] | None = None


class _Line(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _Details(msgspec.Struct, rename="camel"):
    retry_after_seconds: float | None = None


class _Status(msgspec.Struct):
    message: str | None = None
    reason: str | None = None
    code: int | None = None
    details: _Details | None = None


_LIST = msgspec.json.Decoder(_List)
_LINE = msgspec.json.Decoder(_Line)
_HEAD = msgspec.json.Decoder(_Head)
_STATUS = msgspec.json.Decoder(_Status)


def read_page(data: bytes) -> Page:
    """One page of a list.  Raises msgspec.DecodeError if it is none."""
    found = _LIST.decode(data)
    items = tuple(read_item(raw) for raw in found.items or ())
    return Page(items, found.metadata.resource_version, found.metadata.continue_ or "")


def read_event(line: bytes) -> Event | Failure:
    """One line of a watch; a Failure for what the server says has gone wrong.

    Raises msgspec.DecodeError if it is none.
    """
    found = _LINE.decode(line)
    if found.type == "ERROR":
        return read_failure(500, bytes(found.object))
    return Event(found.type, read_item(found.object))


def read_item(raw: bytes | msgspec.Raw) -> Item:
    """An object with who it is.  Raises msgspec.DecodeError if it is none."""
    meta = _HEAD.decode(raw).metadata
    name = Name(meta.namespace, meta.name)
    return Item(name, meta.uid, meta.resource_version, bytes(raw))


def read_failure(status: int, data: bytes, retry_after: str = "") -> Failure:
    """What an answer that is not the hoped one says; also of one that no API server wrote.

    `retry_after` is the header of that name.
    """
    try:
        found = _STATUS.decode(data)
    except msgspec.DecodeError:
        found = _Status(message=data[:200].decode(errors="replace").strip())
    asked = found.details.retry_after_seconds if found.details else None
    header = float(retry_after) if retry_after.isdigit() else 0.0
    return Failure(
        found.code or status, found.reason or "", found.message or "", max(asked or 0.0, header)
    )
