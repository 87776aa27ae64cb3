"""Conditions that users write in CEL, the Common Expression Language.

They are read, and for a trace evaluated, by the library that is in Envoy too; checked for what
Envoy does not do, since one condition that it refuses costs all routes beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from cel_expr_python import cel
from google.protobuf.message import Message

from serai.api.regex import regex_problem
from serai.policies.feature import Asked
from serai.proto.envoy import Any as Packed
from serai.proto.envoy import CheckedExpr

ROOTS = ("request", "source", "destination", "connection", "metadata", "filter_state", "xds")
"""What Envoy knows of a request before it is sent on."""

KNOWN = frozenset({"headers", "host", "method", "path", "query", "url_path"})
"""What a trace knows: these of `request`."""


def problem(expression: str) -> str:
    """Why Envoy cannot decide by an expression; empty if it can."""
    try:
        compiled = _environment().compile(expression)
    except RuntimeError as refused:
        return _words(str(refused))
    if compiled.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
        return f"it is no condition: it comes to {compiled.return_type().name().lower()}"
    return next(filter(None, map(_undone, _parts(parsed(expression)))), "")


def parsed(expression: str) -> Any:
    """An expression as Envoy takes it: cel.expr.Expr.  Raises RuntimeError where it is none."""
    found = Packed.FromString(_environment().compile(expression).serialize())
    return CheckedExpr.FromString(found.value).expr


def holds(expression: str, asked: Asked) -> bool | None:
    """Whether it is true of a request; None if it asks for what a trace does not know.

    Where something is not there it is not true, as in Envoy.
    """
    if set(_read(parsed(expression))) - KNOWN:
        return None
    try:
        found = _environment().compile(expression).eval(data={"request": _request(asked)})
    except RuntimeError:
        return False
    return found.value() is True


@cache
def _environment() -> cel.Env:
    return cel.NewEnv(variables=dict.fromkeys(ROOTS, cel.Type.DYN))


def _words(refused: str) -> str:
    """The first sentence of what the library says, which goes on with a picture of the place."""
    first, _, _ = refused.removeprefix("INVALID_ARGUMENT: ").partition("\n")
    return first.removeprefix("ERROR: ").removeprefix("<input>:").removesuffix("[INVALID_ARGUMENT]")


def _undone(part: Any) -> str:
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


def _parts(part: Any) -> Iterator[Any]:
    """An expression and all that it is made of."""
    if isinstance(part, Message):
        if part.DESCRIPTOR.full_name == "cel.expr.Expr":
            yield part
        for _, value in part.ListFields():
            yield from _parts(value)
    elif isinstance(part, (str, bytes)) or not hasattr(part, "__iter__"):
        return
    else:
        for each in part:
            yield from _parts(each)


def _read(expression: Any) -> Iterator[str]:
    """What is read of `request`, and the names of other roots."""
    inside = set()
    for part in _parts(expression):
        if part.HasField("select_expr"):
            operand = part.select_expr.operand
            if operand.HasField("ident_expr") and operand.ident_expr.name == "request":
                inside.add(operand.id)
                yield part.select_expr.field
        elif part.HasField("ident_expr") and part.id not in inside:
            yield part.ident_expr.name


def _request(asked: Asked) -> dict[str, Any]:
    bare, _, query = asked.path.partition("?")
    headers = {name: asked.header(name) for name, _ in asked.headers}
    headers |= {":authority": asked.authority, ":method": asked.method, ":path": asked.path}
    return {
        "headers": headers,
        "host": asked.authority,
        "method": asked.method,
        "path": asked.path,
        "query": query,
        "url_path": bare,
    }
