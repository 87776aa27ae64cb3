"""Answers HTTP requests with what arrived and who answered.

Gateway API: conformance/echo-basic, whose answers this server's have the shape of.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serai.api.duration import seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from serai.echo.endpoint import EchoEndpoint

SET_HEADER = "x-echo-set-header"
_STATUS = re.compile(r"/status/([1-5][0-9]{2})")
_LONGEST_BODY = 64 * 1024


def http_app(endpoint_at: Callable[[str, int], EchoEndpoint | None]) -> ASGIApp:
    """An ASGI application.  `endpoint_at` tells whom a local address and port stand for.

    ``/status/NNN`` answers with that status; ``?delay=1s`` answers later; a request header
    ``X-Echo-Set-Header: name:value, ...`` becomes headers of the answer.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        endpoint = endpoint_at(*scope["server"])
        with contextlib.suppress(asyncio.CancelledError):  # the server ends, the client is gone
            response = await _answer(Request(scope, receive), endpoint)
            await response(scope, receive, send)

    return app


async def _answer(request: Request, endpoint: EchoEndpoint | None) -> Response:
    body = await request.body()
    delay = request.query_params.get("delay", "")
    if delay:
        wait = seconds(delay)
        if wait is None:
            return _json(500, {"message": f"delay {delay!r} is no duration such as 1s or 250ms"})
        await asyncio.sleep(wait)
    asked = _STATUS.fullmatch(request.url.path)
    response = _json(int(asked[1]) if asked else 200, _report(request, endpoint, body))
    for name, value in _wanted_headers(request):
        response.raw_headers.append((name.encode("latin-1"), value.encode("latin-1")))
    return response


def _report(request: Request, endpoint: EchoEndpoint | None, body: bytes) -> dict[str, Any]:
    scope = request.scope
    query = scope["query_string"].decode("latin-1")
    path = scope["raw_path"].decode("latin-1")
    report: dict[str, Any] = {
        "path": f"{path}?{query}" if query else path,
        "host": request.headers.get("host", ""),
        "method": request.method,
        "proto": f"HTTP/{scope['http_version']}",
        "headers": _headers(request),
        "httpPort": str(scope["server"][1]),
    }
    if endpoint is not None:
        report |= msgspec.structs.asdict(endpoint.identity)
        report["endpoint"] = endpoint.where
    if body:
        report["body"] = body[:_LONGEST_BODY].decode(errors="replace")
    return report


def _headers(request: Request) -> dict[str, list[str]]:
    """Names as Go writes them: X-Request-Id."""
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        if name != "host":
            canonical = "-".join(part.capitalize() for part in name.split("-"))
            headers.setdefault(canonical, []).append(value)
    return headers


def _wanted_headers(request: Request) -> list[tuple[str, str]]:
    written = ",".join(request.headers.getlist(SET_HEADER))
    pairs = (each.partition(":") for each in written.split(","))
    return [(name.strip(), value.strip()) for name, _, value in pairs if name.strip()]


def _json(status: int, content: dict[str, Any]) -> Response:
    body = msgspec.json.format(msgspec.json.encode(content), indent=1)
    return Response(body, status_code=status, media_type="application/json")
