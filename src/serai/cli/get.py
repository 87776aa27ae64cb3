"""``serai get``: services, gateways, routes and the rest, as tables or for programs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from serai.cli.answers import Answers, answers
from serai.cli.options import ADMIN, Admin, AllNamespaces, Files, Namespace, with_settings
from serai.cli.output import Exit, data, structured, talk, unreachable, usage
from serai.cli.tables import TablePrinter
from serai.model.settings import Settings
from serai.views.listing import Listing
from serai.views.listings import LISTINGS, PROBLEMS, by_word, nearest_word
from serai.views.row import row_list

Keep = Callable[[Any], bool]


class Form(StrEnum):
    """Forms of output; without any, a table."""

    JSON = "json"
    YAML = "yaml"
    WIDE = "wide"
    NAME = "name"


@with_settings
def get(
    what: Annotated[
        str,
        typer.Argument(metavar="KIND", help=", ".join(listing.name for listing in LISTINGS) + "."),
    ],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Only these.", show_default=False)
    ] = None,
    *,
    settings: Settings,
    files: Files = None,
    namespace: Namespace = "",
    all_namespaces: AllNamespaces = False,
    output: Annotated[
        Form | None, typer.Option("--output", "-o", help="The form of output, if not a table.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Go on, and print each row that changes.")
    ] = False,
    admin: Admin = ADMIN,
) -> None:
    """List services, gateways, routes, backends, endpoints, policies, clusters or problems.

    Asks the running instance, or reads files where -f names some.
    """
    listing, meant = _listing(what)
    wanted = _wanted(listing, meant, "" if all_namespaces else namespace, names or [])
    printer = _Printer(listing, output)
    with unreachable():
        source = answers(files or [], admin, settings)
        rows = [row for row in source.rows(listing) if wanted(row)]
        printer.all(rows, "" if all_namespaces else namespace, names or [])
        if source.note and listing is not PROBLEMS:
            talk(source.note)
        if watch:
            asyncio.run(_follow(source, listing, wanted, printer, rows))
    if printer.missed:
        raise typer.Exit(Exit.FAILED)


def _listing(what: str) -> tuple[Listing, Keep]:
    found = by_word(what)
    if found is None:
        near = nearest_word(what)
        kinds = ", ".join(listing.name for listing in LISTINGS)
        hint = f"did you mean {near}?" if near else f"there are: {kinds}"
        usage(f"there is no {what!r} to get; {hint}")
    return found


def _wanted(listing: Listing, meant: Keep, namespace: str, names: list[str]) -> Keep:
    def wanted(row: Any) -> bool:
        here = namespace in {"", row.namespace}
        return meant(row) and here and (not names or not {*names}.isdisjoint(listing.names(row)))

    return wanted


class _Printer:
    """Prints rows in the form that was asked for."""

    def __init__(self, listing: Listing, form: Form | None) -> None:
        self._listing = listing
        self._form = form
        self._table = TablePrinter(listing, wide=form is Form.WIDE)
        self.missed = False
        """Whether something that was named is not there."""

    def all(self, rows: Sequence[Any], namespace: str, names: list[str]) -> None:
        """What there is at first, and what of that which was named is not there."""
        within = f" in namespace {namespace}" if namespace else ""
        if rows or self._form in {Form.JSON, Form.YAML}:
            self.some(rows)
        elif not names:
            talk(f"no {self._listing.name}{within}" if within else self._listing.nothing)
        present = {name for row in rows for name in self._listing.names(row)}
        for name in names:
            if name not in present:
                self.missed = True
                talk(f"there is no {name!r} among the {self._listing.name}{within}")

    def name(self, row: Any) -> str:
        """A row's name for scripts, which `serai explain` takes too."""
        kind = getattr(row, "kind", self._listing.kind)
        return f"{kind.lower()}/{self._listing.names(row)[0]}"

    def some(self, rows: Sequence[Any]) -> None:
        """Rows that are new or changed."""
        match self._form:
            case Form.JSON | Form.YAML:
                structured(row_list(self._listing.kind, rows), str(self._form))
            case Form.NAME:
                for name in dict.fromkeys(self.name(row) for row in rows):
                    data(name)
            case _:
                self._table.print(rows)


async def _follow(
    source: Answers, listing: Listing, wanted: Keep, printer: _Printer, rows: Sequence[Any]
) -> None:
    """Print what changes, until interrupted."""
    before = list(rows)
    async for _ in source.changes():
        after = [row for row in await asyncio.to_thread(source.rows, listing) if wanted(row)]
        if changed := [row for row in after if row not in before]:
            printer.some(changed)
        left = {printer.name(row) for row in after}
        for name in dict.fromkeys(printer.name(row) for row in before):
            if name not in left:
                talk(f"{name} is gone")
        before = after
