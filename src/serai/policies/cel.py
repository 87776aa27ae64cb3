"""Conditions that users write in CEL, the Common Expression Language.

They are read, and for a trace evaluated, by the library that is in Envoy too; checked for what
Envoy does not do, since one condition that it refuses costs all routes beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

from serai.api.regex import regex_problem
from serai.policies.feature import Asked
from serai.proto.envoy import Any as Packed
from serai.proto.envoy import CheckedExpr

if TYPE_CHECKING:
    from cel_expr_python.cel import Env

ROOTS = ("request", "source", "destination", "connection", "metadata", "filter_state", "xds")
"""What Envoy knows of a request before it is sent on."""
ANSWERED = (*ROOTS, "response", "upstream")
"""And once it was answered."""

REQUEST = frozenset(
    {
        *("duration", "headers", "host", "id", "method", "path", "protocol", "query", "referer"),
        *("scheme", "size", "time", "total_size", "url_path", "useragent"),
    }
)
"""What it knows of `request`.  Envoy: attributes."""

CONDITIONS = ("BOOL", "DYN")
"""What an expression may come to, as the library names it."""

JOINING = frozenset({"add_bytes", "add_list", "add_string"})
"""Ways of + that Envoy does not go."""

KNOWN = frozenset({"headers", "host", "method", "path", "query", "url_path"})
"""What a trace knows: these of `request`."""


def problem(expression: str, *, answered: bool = False) -> str:
    """Why Envoy cannot decide by an expression; empty if it can.

    `answered`: once the request was answered, as for logs.
    """
    try:
        compiled = _environment(answered).compile(expression)
    except RuntimeError as refused:
        return _words(str(refused))
    kind = compiled.return_type().name()
    if kind not in CONDITIONS:
        return f"it is no condition: it comes to {kind.lower()}"
    found = _checked(expression, answered)
    ways = (set(each.overload_id) for each in found.reference_map.values())
    if any(way and way <= JOINING for way in ways):
        return "Envoy puts no strings and no lists together: +"
    return next(filter(None, map(_undone, _parts(found.expr))), "")


def is_expression(text: str) -> bool:
    """Whether it can be read at all, whatever it comes to."""
    try:
        _checked(text, answered=True)
    except RuntimeError:
        return False
    return True


def parsed(expression: str) -> Any:
    """An expression as Envoy takes it: cel.expr.Expr.  Raises RuntimeError where it is none."""
    return _checked(expression, answered=False).expr


def _checked(expression: str, answered: bool) -> Any:  # noqa: FBT001  where it is used is clear
    found = Packed.FromString(_environment(answered).compile(expression).serialize())
    return CheckedExpr.FromString(found.value)


def holds(expression: str, asked: Asked) -> bool | None:
    """Whether it is true of a request; None if it asks for what a trace does not know.

    Where something is not there it is not true, as in Envoy.
    """
    if set(_read(parsed(expression))) - KNOWN:
        return None
    try:
        data = {"request": _request(asked, set(_texts(parsed(expression))))}
        found = _environment(answered=False).compile(expression).eval(data=data)
    except RuntimeError:
        return False
    return found.value() is True


@cache
def _environment(answered: bool) -> Env:  # noqa: FBT001  likewise
    from cel_expr_python import cel  # noqa: PLC0415  4 MiB, and few write conditions

    return cel.NewEnv(variables=dict.fromkeys(ANSWERED if answered else ROOTS, cel.Type.DYN))


def _words(refused: str) -> str:
    """The first sentence of what the library says, which goes on with a picture of the place."""
    first, _, _ = refused.removeprefix("INVALID_ARGUMENT: ").partition("\n")
    return first.removeprefix("ERROR: ").removeprefix("<input>:").removesuffix("[INVALID_ARGUMENT]")


def _undone(part: Any) -> str:
    attribute = _attribute(part)
    if attribute and attribute not in REQUEST:
        return f"Envoy knows no request.{attribute}"
    if part.HasField("comprehension_expr"):
        return "Envoy has no loops over maps and lists: exists, all, map, filter"
    if not part.HasField("call_expr"):
        return ""
    call = part.call_expr
    if call.function == "string":
        return "Envoy makes no strings of other values: string()"
    if call.function != "matches":
        return ""
    patterns = [each.const_expr.string_value for each in call.args if each.HasField("const_expr")]
    return next(filter(None, map(regex_problem, patterns)), "")


def _parts(part: Message) -> Iterator[Any]:
    """An expression and all that it is made of."""
    if part.DESCRIPTOR.full_name == "cel.expr.Expr":
        yield part
    for field, value in part.ListFields():
        if field.message_type is not None:
            for each in value if field.is_repeated else (value,):
                yield from _parts(each)


def _read(expression: Any) -> Iterator[str]:
    """What is read of `request`, and the names of other roots."""
    inside = set()
    for part in _parts(expression):
        attribute = _attribute(part)
        if attribute:
            inside.add(part.select_expr.operand.id)
            yield attribute
        elif part.HasField("ident_expr") and part.id not in inside:
            yield part.ident_expr.name


def _attribute(part: Any) -> str:
    """What a part reads of `request`; empty if it is another part."""
    operand = part.select_expr.operand
    found = part.HasField("select_expr") and operand.HasField("ident_expr")
    return str(part.select_expr.field) if found and operand.ident_expr.name == "request" else ""


def _texts(expression: Any) -> Iterator[str]:
    """The texts that are written in an expression: names of headers may be among them."""
    for part in _parts(expression):
        if part.HasField("const_expr") and part.const_expr.HasField("string_value"):
            yield part.const_expr.string_value


def _request(asked: Asked, texts: set[str]) -> dict[str, Any]:
    bare, _, query = asked.path.partition("?")
    headers = {name: asked.header(name) for name, _ in asked.headers}
    headers |= {":authority": asked.authority, ":method": asked.method, ":path": asked.path}
    # However a name is written, Envoy finds its header.
    headers |= {text: headers[text.lower()] for text in texts if text.lower() in headers}
    return {
        "headers": headers,
        "host": asked.authority,
        "method": asked.method,
        "path": asked.path,
        "query": query,
        "url_path": bare,
    }
