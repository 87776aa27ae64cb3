"""Answers HTTP requests with what arrived and who answered.

Gateway API: conformance/echo-basic, whose answers this server's have the shape of.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from serai.api.duration import seconds
from serai.echo.endpoint import EchoEndpoint
from serai.echo.grpc import CONTENT_TYPE, grpc_answer
from serai.echo.request import LONGEST_BODY, EchoAnswer, EchoRequest
from serai.echo.retries import PREFIX, Retries

Respond = Callable[[EchoRequest], EchoAnswer]
Well = Callable[[EchoEndpoint, str], bool]
"""Whether an endpoint answers a target well."""

SET_HEADER = "x-echo-set-header"
HEALTH = "/healthz"
_STATUS = re.compile(r"/status/([1-5][0-9]{2})")


def responder(observe: Callable[[EchoRequest], None], well: Well = lambda *_: True) -> Respond:
    """What to say to a request; `observe` is told of each.

    ``/status/NNN`` answers with that status; ``?delay=1s`` answers later; ``/retry/`` fails at
    first; a request header ``X-Echo-Set-Header: name:value, ...`` becomes headers of the answer.
    What an endpoint does not do `well` is answered 503, such as ``/healthz``.
    """
    retries = Retries()

    def respond(request: EchoRequest) -> EchoAnswer:
        observe(request)
        if request.header("content-type").startswith(CONTENT_TYPE):
            return grpc_answer(request)
        answer = _answer(request, retries)
        if not well(request.endpoint, request.target):
            return msgspec.structs.replace(answer, status=HTTPStatus.SERVICE_UNAVAILABLE)
        return answer

    return respond


def _answer(request: EchoRequest, retries: Retries) -> EchoAnswer:
    parts = urlsplit(request.target)
    asked = dict(parse_qsl(parts.query))
    if parts.path.startswith(PREFIX):
        failing = retries.failing(asked)
        if failing is not None:
            return failing
    delay = seconds(asked["delay"]) if asked.get("delay") else 0.0
    if delay is None:
        wrong = f"delay {asked['delay']!r} is no duration such as 1s or 250ms"
        return _json(500, {"message": wrong})
    wanted = _STATUS.fullmatch(parts.path)
    answer = _json(int(wanted[1]) if wanted else 200, _report(request))
    headers = (*answer.headers, *_wanted_headers(request))
    return msgspec.structs.replace(answer, headers=headers, delay=delay)


def _report(request: EchoRequest) -> dict[str, Any]:
    endpoint = request.endpoint
    report: dict[str, Any] = {
        "path": request.target,
        "host": request.authority,
        "method": request.method,
        "proto": request.proto,
        "headers": _headers(request),
        "httpPort": str(endpoint.port),
        **msgspec.structs.asdict(endpoint.identity),
        "endpoint": endpoint.where,
    }
    if request.tls is not None:
        report["tls"] = request.tls
    if request.body:
        report["body"] = request.body[:LONGEST_BODY].decode(errors="replace")
    return report


def _headers(request: EchoRequest) -> dict[str, list[str]]:
    """Names as Go writes them: X-Request-Id."""
    headers: dict[str, list[str]] = {}
    for name, value in request.headers:
        canonical = "-".join(part.capitalize() for part in name.split("-"))
        headers.setdefault(canonical, []).append(value)
    return headers


def _wanted_headers(request: EchoRequest) -> list[tuple[str, str]]:
    pairs = (each.partition(":") for each in request.header(SET_HEADER).split(","))
    return [(name.strip(), value.strip()) for name, _, value in pairs if name.strip()]


def _json(status: int, content: dict[str, Any]) -> EchoAnswer:
    body = msgspec.json.format(msgspec.json.encode(content), indent=1)
    return EchoAnswer(status=status, headers=(("content-type", "application/json"),), body=body)
