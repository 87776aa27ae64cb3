"""``serai validate``: every problem of some manifests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from serai.app.offline import Offline, load
from serai.cli.options import Paths, with_settings
from serai.cli.output import Exit, Format, data, structured, talk
from serai.model.settings import Settings
from serai.views.problems import ProblemRow, counted, has_errors, problem_rows, summary
from serai.views.row import row_list


@with_settings
def validate(
    paths: Paths,
    *,
    settings: Settings,
    output: Annotated[
        Format | None, typer.Option("--output", "-o", help="The form of output.")
    ] = None,
) -> None:
    """List every problem of some manifests, with its place and remedy.

    Ends with 1 if there is an error; warnings alone leave it at 0.
    """
    found = load(paths, settings)
    rows = problem_rows(found.problems)
    if output:
        structured({**row_list("Problem", rows), "summary": _counts(found)}, output)
    else:
        for row in rows:
            data("\n".join(_lines(row)))
    talk(_said(found))
    if has_errors(found.problems):
        raise typer.Exit(Exit.FAILED)


def _lines(row: ProblemRow) -> Iterator[str]:
    """Where, how bad, which object and field; then what happened, then what to do."""
    about = (row.object.replace("/", " ", 1), row.field)
    where = (row.where or "-", row.severity, row.code)
    yield "  ".join((*where, *(part for part in about if part)))
    yield f"      {row.message}"
    if row.remedy:
        yield f"      {row.remedy}"


def _counts(found: Offline) -> dict[str, int]:
    errors = sum(problem.severity == "error" for problem in found.problems)
    return {
        "errors": errors,
        "warnings": len(found.problems) - errors,
        "objects": found.objects,
        "files": found.files,
    }


def _said(found: Offline) -> str:
    within = f"{counted(found.objects, 'object')} of {counted(found.files, 'file')}"
    if found.problems:
        return f"{summary(found.problems)} in {within}"
    return f"no problem in {within}" if found.objects else f"nothing to validate: {within}"
