"""``POST /api/v1/enter``: where a request would enter, and what would become of it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serai.trace import trace
from serai.trace.connection import listener_of
from serai.trace.outcome import Trace
from serai.trace.resolve import Unresolved, resolve
from serai.trace.view import View
from serai.views.row import API_VERSION
from serai.web.instance import Instance


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A request, as serai.trace.resolve takes it."""

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    as_: str = msgspec.field(name="as", default="")
    via: str = ""


class WayIn(msgspec.Struct, frozen=True, rename="camel"):
    """Where a request enters, and what is expected to become of it."""

    trace: Trace
    connect: tuple[str, int]
    """The address and port of the proxy that it goes to."""
    access_log: str = ""
    """Path of the access log of the Envoy there; empty if that is not known."""

    @property
    def gateway(self) -> str:
        """``namespace/name``."""
        proxy = self.trace.request.way.proxy
        return f"{proxy.namespace}/{proxy.name}"

    @property
    def service(self) -> str:
        """What was captured, such as ``ServiceEntry infra/partner-api``; empty at a gateway."""
        captured = (step.origin for step in self.trace.steps if step.what == "captured")
        return next((str(origin.key) for origin in captured if origin), "")


def way_in(view: View, question: Question, access_logs: Mapping[str, str]) -> WayIn | Unresolved:
    """Where a request enters, among the proxies that `view` shows.

    `access_logs` has the path of each Gateway's, by ``namespace/name``.
    """
    request = resolve(
        view,
        question.url,
        method=question.method,
        headers=question.headers,
        as_=question.as_,
        via=question.via,
    )
    if isinstance(request, Unresolved):
        return request
    proxy = view.proxy(request.way.proxy)
    listener = listener_of(proxy, request)
    if listener is None:
        return Unresolved("NoListener", f"{proxy.name} does not listen there")
    connect = (listener.addresses[0], listener.port)
    return WayIn(trace(view, request), connect, access_logs.get(proxy.name, ""))


async def entered(instance: Instance, request: Request) -> Response:
    """A Trace with its way in, or 404 with the reason why the URL leads to no proxy."""
    try:
        question = msgspec.json.decode(await request.body(), type=Question)
    except msgspec.DecodeError as error:
        return _error(HTTPStatus.BAD_REQUEST, "BadQuestion", str(error))
    state = instance.state()
    view = View(state.pipeline.attached, state.pipeline.translated)
    logs = {envoy.gateway: envoy.access_log for envoy in state.facts.envoys}
    found = way_in(view, question, logs)
    if isinstance(found, Unresolved):
        return _error(HTTPStatus.NOT_FOUND, found.reason, found.message, found.remedy)
    return _json(HTTPStatus.OK, {"kind": "Trace", **msgspec.to_builtins(found)})


def _error(status: HTTPStatus, reason: str, message: str, remedy: str = "") -> Response:
    content = {"kind": "Error", "reason": reason, "message": message, "remedy": remedy}
    return _json(status, content)


def _json(status: HTTPStatus, content: dict[str, Any]) -> Response:
    body = msgspec.json.encode({"apiVersion": API_VERSION, **content})
    return Response(body, status, media_type="application/json")
