"""The console: one page of tables, made here, kept fresh by a few lines of script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from serai.views.listing import Listing
from serai.views.listings import CLIENTS, GATEWAYS, PROBLEMS, SERVICES
from serai.views.problems import counted
from serai.views.state import State
from serai.web.instance import Instance

SHOWN = (PROBLEMS, GATEWAYS, SERVICES, CLIENTS)
MOST_ROWS = 500
"""Of one table; the rest is for `serai get`."""

_STATIC = {"js": "text/javascript", "css": "text/css"}


async def page(instance: Instance, _: Request) -> Response:
    """Everything there is to see now, as HTML."""
    waiting = instance.waiting_for()
    said = f"waiting for {waiting}" if waiting else "serving"
    return HTMLResponse(await instance.read(lambda state: _page(state, said), health=True))


def _page(state: State, said: str) -> str:
    objects = sum(number for _, number in state.objects())
    summary = f"{counted(objects, 'object')}, {said}"
    body = "".join(_section(listing, listing.rows(state)) for listing in SHOWN)
    return _PAGE.format(summary=escape(summary), body=body)


async def static(request: Request) -> Response:
    """The script and the style."""
    suffix = request.path_params["suffix"]
    if suffix not in _STATIC:
        return PlainTextResponse("not found\n", 404)
    content = files("serai.web").joinpath("static", f"console.{suffix}").read_bytes()
    return Response(content, media_type=_STATIC[suffix])


def _section(listing: Listing, rows: Sequence[Any]) -> str:
    return "".join(_parts(listing, rows))


def _parts(listing: Listing, rows: Sequence[Any]) -> Iterator[str]:
    yield f"<section><h2>{escape(listing.name.capitalize())} <small>{len(rows)}</small></h2>"
    if rows:
        columns = [column for column in listing.columns if not column.wide]
        yield "<table><thead><tr>"
        yield from (f"<th>{escape(column.title)}</th>" for column in columns)
        yield "</tr></thead><tbody>"
        for row in rows[:MOST_ROWS]:
            yield "<tr>"
            for column in columns:
                yield f'<td class="{column.tone(row)}">{escape(column.text(row) or "None")}</td>'
            yield "</tr>"
        yield "</tbody></table>"
    else:
        yield f"<p>{escape(listing.nothing)}</p>"
    if len(rows) > MOST_ROWS:
        more = f"and {len(rows) - MOST_ROWS} more: serai get {listing.name}"
        yield f"<p>{escape(more)}</p>"
    yield "</section>"


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Serai</title>
<link rel="stylesheet" href="/console.css">
<script src="/console.js" defer></script>
<noscript><meta http-equiv="refresh" content="5"></noscript>
</head>
<body>
<main>
<header><h1>Serai</h1><p>{summary}</p></header>
{body}
</main>
</body>
</html>
"""
