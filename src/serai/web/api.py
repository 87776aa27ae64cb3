"""``/api/v1``: what the commands ask a running instance."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serai.api.meta import Key
from serai.views.config_dump import config_dump
from serai.views.configuration import PARTS, SECTIONS, configuration
from serai.views.explain import explain
from serai.views.listings import LISTINGS, by_word
from serai.views.row import API_VERSION, row_list
from serai.views.state import State
from serai.views.tracing import TraceQuestion, traced
from serai.web.instance import Instance

MOST_BYTES = 256 * 1024
"""Of a question."""


async def listed(instance: Instance, request: Request) -> Response:
    """Rows: ``/api/v1/services?namespace=shop``."""
    word = request.path_params["kind"]
    found = by_word(word)
    if found is None:
        known = ", ".join(listing.name for listing in LISTINGS)
        return _refusal(404, f"there is no {word!r} to get; there are: {known}")
    listing, meant = found
    namespace = request.query_params.get("namespace", "")
    rows = [
        row
        for row in listing.rows(instance.state())
        if meant(row) and namespace in {"", row.namespace}
    ]
    return _json(row_list(listing.kind, rows))


async def explained(instance: Instance, request: Request) -> Response:
    """Why things are as they are: ``/api/v1/explain?what=pay.example``; 404 for what isn't."""
    what = request.query_params.get("what", "")
    if not what:
        return _refusal(400, "say what to explain: ?what=<host> or ?what=<kind>/<name>")
    found = explain(instance.state(), what, request.query_params.get("namespace", ""))
    plain = {"apiVersion": API_VERSION, "kind": "Explanation", **msgspec.to_builtins(found)}
    return _json(plain, 200 if found.found else 404)


async def translated(instance: Instance, request: Request) -> Response:
    """What `serai translate` prints; with ``form=config-dump`` of one gateway."""
    state = instance.state()
    asked = request.query_params.get("gateway", "")
    gateways = _gateways(state, asked)
    if asked and not gateways:
        return _refusal(404, f"there is no Gateway {asked} of a class of ours")
    if request.query_params.get("form") == "config-dump":
        if len(gateways) != 1:
            return _refusal(400, "a config dump is of one Gateway: ?gateway=<namespace>/<name>")
        return _json(config_dump(state.pipeline, gateways[0]))
    only = [each for each in request.query_params.get("only", "").split(",") if each]
    unknown = [each for each in only if each not in {*PARTS, *SECTIONS}]
    if unknown:
        return _refusal(400, f"there is no key {unknown[0]}; there are: {', '.join(_keys())}")
    return _json(configuration(state.pipeline, state.problems, gateways=gateways, only=only))


async def trace(instance: Instance, request: Request) -> Response:
    """What would become of a request, given as JSON: url, method, headers, as, via."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        return _refusal(415, "a question is JSON: Content-Type: application/json")
    try:
        question = msgspec.json.decode(await _body(request), type=TraceQuestion)
    except ValueError as error:
        return _refusal(400, f"the question cannot be read: {error}")
    plain = msgspec.to_builtins(traced(instance.state(), question))
    return _json({"apiVersion": API_VERSION, "kind": "Trace", **plain})


async def _body(request: Request) -> bytes:
    """Raises ValueError where it is longer than any question."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise ValueError(f"it is longer than {MOST_BYTES} bytes")
    return body


def _keys() -> tuple[str, ...]:
    return (*PARTS, *SECTIONS)


def _gateways(state: State, asked: str) -> list[Key]:
    known = sorted(state.pipeline.attached.proxies.keys())
    return [key for key in known if asked in {"", f"{key.namespace}/{key.name}"}]


def _json(value: Any, status: int = 200) -> Response:
    body = msgspec.json.format(msgspec.json.encode(value), indent=2)
    return Response(body, status, media_type="application/json")


def _refusal(status: int, message: str) -> Response:
    return _json({"apiVersion": API_VERSION, "kind": "Error", "message": message}, status)
