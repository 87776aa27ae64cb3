"""A question about a request, as it is posted to ``/api/v1/trace`` and ``/api/v1/enter``."""

from __future__ import annotations

import time
from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serai.views.tracing import TraceQuestion
from serai.web.answers import refused

MOST_BYTES = 256 * 1024
"""Of a question."""


async def question(request: Request) -> TraceQuestion | Response:
    """What is asked: url, method, headers, as, via; a refusal where it cannot be read.

    Only JSON that says so is read: a page of anybody's cannot send that without asking first.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        words = "a question is JSON: Content-Type: application/json"
        return refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, words)
    try:
        asked = msgspec.json.decode(await _body(request), type=TraceQuestion)
    except ValueError as error:
        return refused(HTTPStatus.BAD_REQUEST, f"the question cannot be read: {error}")
    return asked if asked.at is not None else msgspec.structs.replace(asked, at=time.time())


async def _body(request: Request) -> bytes:
    """Raises ValueError where it is longer than any question."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise ValueError(f"it is longer than {MOST_BYTES} bytes")
    return body
