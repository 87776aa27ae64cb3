"""``serai trace``: one request followed through the configuration, without sending it."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec
import typer

from serai.cli.answers import answers
from serai.cli.options import ADMIN, Admin, Direct, Files, Via, way, with_settings
from serai.cli.output import Exit, Format, data, structured, unreachable, usage
from serai.model.settings import Settings
from serai.views.row import API_VERSION
from serai.views.tracing import TraceQuestion

Headers = Annotated[
    list[str] | None,
    typer.Option("--header", "-H", metavar="'NAME: VALUE'", help="A header of the request."),
]


@with_settings
def trace(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="Such as GET.")],
    url: Annotated[
        str,
        typer.Argument(metavar="URL", help="http://, https:// (TLS), tcp:// or udp://host:port."),
    ],
    *,
    settings: Settings,
    as_: Annotated[
        str,
        typer.Option("--as", metavar="WHO", help="The caller: spiffe://..., or ns/serviceaccount."),
    ] = "",
    header: Headers = None,
    via: Via = "",
    direct: Direct = False,
    files: Files = None,
    output: Annotated[
        Format | None, typer.Option("--output", "-o", help="The form of output, if not text.")
    ] = None,
    admin: Admin = ADMIN,
) -> None:
    """Follow one request through the configuration, step by step, without sending it.

    Asks the running instance, or reads files where -f names some.  Ends with 1 if no backend
    would answer.
    """
    headers = tuple(_header(each) for each in header or ())
    via = way(via, direct=direct)
    now = time.time()
    question = TraceQuestion(url=url, method=method, headers=headers, as_=as_, via=via, at=now)
    with unreachable():
        found = answers(files or [], admin, settings).trace(question)
    if output:
        plain = msgspec.to_builtins(found)
        structured({"apiVersion": API_VERSION, "kind": "Trace", **plain}, output)
    else:
        data("\n".join(found.text))
    if not found.reaches_a_backend:
        raise typer.Exit(Exit.FAILED)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        usage(f"-H: {text!r} is not a header such as 'canary: yes'")
    return name.strip(), value.strip()
