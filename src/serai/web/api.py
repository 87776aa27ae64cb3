"""``/api/v1``: what the commands ask a running instance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serai.api.meta import Key
from serai.views.config_dump import config_dump
from serai.views.configuration import PARTS, SECTIONS, configuration
from serai.views.explain import explain
from serai.views.listing import Listing
from serai.views.listings import LISTINGS, by_word
from serai.views.row import row_list
from serai.views.state import State
from serai.views.tracing import traced
from serai.web.answers import answered, as_json, refused
from serai.web.instance import Instance
from serai.web.question import question

KEYS = (*PARTS, *SECTIONS)
"""Of a configuration."""


async def listed(instance: Instance, request: Request) -> Response:
    """Rows: ``/api/v1/services?namespace=shop``."""
    word = request.path_params["kind"]
    found = by_word(word)
    if found is None:
        known = ", ".join(listing.name for listing in LISTINGS)
        return refused(404, f"there is no {word!r} to get; there are: {known}")
    listing, meant = found
    namespace = request.query_params.get("namespace", "")
    return await instance.read(
        lambda state: _rows(state, listing, meant, namespace), health=listing.asks_envoys
    )


def _rows(state: State, listing: Listing, meant: Callable[[Any], bool], namespace: str) -> Response:
    rows = listing.rows(state)
    here = [row for row in rows if meant(row) and namespace in {"", row.namespace}]
    return as_json(row_list(listing.kind, here))


async def explained(instance: Instance, request: Request) -> Response:
    """Why things are as they are: ``/api/v1/explain?what=pay.example``; 404 for what isn't."""
    what = request.query_params.get("what", "")
    if not what:
        return refused(400, "say what to explain: ?what=<host> or ?what=<kind>/<name>")
    namespace = request.query_params.get("namespace", "")
    found = await instance.read(lambda state: explain(state, what, namespace), health=True)
    return answered("Explanation", msgspec.to_builtins(found), 200 if found.found else 404)


async def translated(instance: Instance, request: Request) -> Response:
    """What `serai translate` prints; with ``form=config-dump`` of one gateway."""
    parameters = request.query_params
    asked = parameters.get("gateway", "")
    only = [each for each in parameters.get("only", "").split(",") if each]
    if unknown := [each for each in only if each not in KEYS]:
        return refused(400, f"there is no key {unknown[0]}; there are: {', '.join(KEYS)}")
    if parameters.get("form") == "config-dump":
        return await instance.read(lambda state: _dump(state, asked))
    return await instance.read(lambda state: _configuration(state, asked, only))


def _configuration(state: State, asked: str, only: list[str]) -> Response:
    gateways = _gateways(state, asked)
    if asked and not gateways:
        return _no_gateway(asked)
    return as_json(configuration(state.pipeline, state.problems, gateways=gateways, only=only))


def _dump(state: State, asked: str) -> Response:
    gateways = _gateways(state, asked)
    if asked and not gateways:
        return _no_gateway(asked)
    if len(gateways) != 1:
        return refused(400, "a config dump is of one Gateway: ?gateway=<namespace>/<name>")
    return as_json(config_dump(state.pipeline, gateways[0]))


async def trace(instance: Instance, request: Request) -> Response:
    """What would become of a request, given as JSON: url, method, headers, as, via."""
    asked = await question(request)
    if isinstance(asked, Response):
        return asked
    found = await instance.read(lambda state: traced(state, asked))
    return answered("Trace", msgspec.to_builtins(found))


def _no_gateway(asked: str) -> Response:
    return refused(404, f"there is no Gateway {asked} of a class of ours")


def _gateways(state: State, asked: str) -> list[Key]:
    known = sorted(state.pipeline.attached.proxies.keys())
    return [key for key in known if asked in {"", key.namespaced_name}]
