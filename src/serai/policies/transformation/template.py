"""The part of Inja's templates that stock Envoy can fill in: texts, and values put into them."""

from __future__ import annotations

import re2

from serai.ir.origin import Value


class Text(Value, frozen=True, tag=True):
    """Itself."""

    text: str


class Header(Value, frozen=True, tag=True):
    """A header's value, empty where there is none; of the request, or of what is changed."""

    name: str
    of_request: bool = False


class Body(Value, frozen=True, tag=True):
    """The whole body."""


class Field(Value, frozen=True, tag=True):
    """What a body in JSON has at a path."""

    path: tuple[str, ...]


Piece = Text | Header | Body | Field
Template = tuple[Piece, ...]

KNOWN = "only {{ header(...) }}, {{ request_header(...) }}, {{ body() }}, fields and texts"
_PUT = re2.compile(r"\{\{(.*?)\}\}")
_CALL = re2.compile(r"""(header|request_header)\(\s*(?:"([\w-]+)"|'([\w-]+)')\s*\)""")
_FIELD = re2.compile(r"[A-Za-z_][\w-]*(\.[\w-]+)*")
_QUOTED = re2.compile(r""""([^"\\]*)"|'([^'\\]*)'""")


def parse(text: str) -> Template | str:
    """The pieces of a template; or what in it cannot be filled in, in words."""
    pieces: list[Piece] = []
    at = 0
    for found in _PUT.finditer(text):
        pieces.append(Text(text[at : found.start()]))
        piece = _piece(found[1].strip("- \t\n"))
        if piece is None:
            return f"Envoy cannot fill in {found[0][:80]}, {KNOWN}"
        pieces.append(piece)
        at = found.end()
    pieces.append(Text(text[at:]))
    for piece in pieces:
        if isinstance(piece, Text) and any(mark in piece.text for mark in ("{{", "{%", "{#")):
            return f"Envoy cannot follow {piece.text.strip()[:80]}, {KNOWN}"
    return tuple(piece for piece in pieces if piece != Text(""))


def _piece(put: str) -> Piece | None:
    if call := _CALL.fullmatch(put):
        return Header((call[2] or call[3]).lower(), call[1] == "request_header")
    if quoted := _QUOTED.fullmatch(put):
        return Text(quoted[1] or quoted[2] or "")
    if put == "body()":
        return Body()
    return Field(tuple(put.split("."))) if _FIELD.fullmatch(put) else None
