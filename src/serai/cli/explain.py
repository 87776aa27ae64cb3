"""``serai explain``: why something is captured or not, what applies, where traffic goes."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from serai.cli.answers import answers
from serai.cli.options import ADMIN, Admin, Files, Namespace, with_settings
from serai.cli.output import Exit, Format, data, structured, talk, unreachable
from serai.model.settings import Settings
from serai.views.explain import text
from serai.views.row import API_VERSION


@with_settings
def explain(
    what: Annotated[
        str,
        typer.Argument(metavar="WHAT", help="A host or URL, a name, or kind/name[.namespace]."),
    ],
    *,
    settings: Settings,
    files: Files = None,
    namespace: Namespace = "",
    output: Annotated[
        Format | None, typer.Option("--output", "-o", help="The form of output, if not text.")
    ] = None,
    admin: Admin = ADMIN,
) -> None:
    """Say why something is captured or not, and where its traffic goes.

    Also what else applies to it: routes in the order in which they are tried, and problems.

    Asks the running instance, or reads files where -f names some.  Ends with 1 if there is no
    such thing.
    """
    with unreachable():
        found = answers(files or [], admin, settings).explain(what, namespace)
    if output:
        plain = msgspec.to_builtins(found)
        structured({"apiVersion": API_VERSION, "kind": "Explanation", **plain}, output)
    elif found.found:
        data(text(found))
    else:
        talk(text(found))
    if not found.found:
        raise typer.Exit(Exit.FAILED)
