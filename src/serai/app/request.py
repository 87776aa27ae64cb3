"""`serai request`: one request, sent as a client of the mesh would, and who answered it."""

from __future__ import annotations

import contextlib
import string
import uuid
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

import msgspec

from serai import __version__
from serai.api.problem import Problem
from serai.app.access_log import AccessLine, AccessLog
from serai.app.http_client import Entry, Headers, HttpAnswer, HttpRequest, send, shown
from serai.trace import trace
from serai.trace.connection import listener_of
from serai.trace.outcome import Trace
from serai.trace.request import Destination
from serai.trace.resolve import Unresolved, resolve
from serai.trace.view import View

REQUEST_ID = "x-request-id"
DEFAULT, UNMATCHED = "default", "unmatched/"
"""Names of routes that nobody wrote (translate.default_route)."""
LOG_SECONDS = 2.0
"""How long Envoy may take to write of a request in its access log."""

_PLAIN = string.digits + string.ascii_letters + string.punctuation


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asks for."""

    url: str
    method: str = "GET"
    headers: Headers = ()
    """In place of the usual ones of the same name; one with an empty value is left out."""
    body: bytes = b""
    as_: str = ""
    """The caller's identity."""
    via: str = ""
    """A gateway (``namespace/name``), or ``loopback``."""
    verify: bool = True
    max_seconds: float | None = None


class WayIn(msgspec.Struct, frozen=True):
    """Where a request enters, and what is expected to become of it."""

    trace: Trace
    connect: tuple[str, int]
    access_logs: tuple[str, ...] = ()
    """Paths of those that may tell of it: of the Envoy that is there."""

    @property
    def gateway(self) -> str:
        """``namespace/name``."""
        proxy = self.trace.request.way.proxy
        return f"{proxy.namespace}/{proxy.name}"

    @property
    def service(self) -> str:
        """What was captured, such as ``ServiceEntry infra/partner-api``; empty at a gateway."""
        steps = (step for step in self.trace.steps if step.what == "captured" and step.origin)
        return next((str(step.origin.key) for step in steps if step.origin), "")

    def entry(self) -> Entry:
        """How to connect."""
        request = self.trace.request
        way = request.way
        if not isinstance(way, Destination) or not way.proxied:
            return Entry(connect=self.connect)
        return Entry(
            connect=self.connect,
            destination=(way.address, way.port),
            principal=request.principal or "",
        )


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a request: an answer, and what Envoy said of it."""

    way: WayIn
    answer: HttpAnswer
    line: AccessLine | None
    """None if Envoy's access log could not be read, or said nothing in time."""

    @property
    def route(self) -> str:
        """``shop/charge rule 0``, ``default route``, or ``none``."""
        return shown_route(self.line.route_name if self.line else None)

    @property
    def endpoint(self) -> str:
        """``ip:port`` of who answered; empty if Envoy did so itself, or it is not known."""
        return (self.line.upstream_host if self.line else None) or ""

    @property
    def via(self) -> str:
        """One line that says who answered, and why they."""
        parts = [f"via {self.way.gateway}", self.way.service]
        if self.line is None:
            return " · ".join([*(part for part in parts if part), "Envoy's log says nothing of it"])
        route = self.route
        parts.append(f"route {route}" if " rule " in route else route)
        if self.endpoint:
            parts.append(f"endpoint {self.endpoint}")
        else:
            said = [self.line.response_code_details or "", self.line.response_flags or ""]
            why = ", ".join(each for each in said if each not in {"", "-"})
            parts.append(f"answered by Envoy itself ({why})" if why else "answered by Envoy itself")
        return " · ".join(part for part in parts if part)


def way_in(
    view: View, asked: Asked, access_logs: Mapping[str, tuple[str, ...]]
) -> WayIn | Unresolved:
    """Where a request enters, among the proxies of this process.

    `access_logs` has the paths of each Gateway's, by ``namespace/name``.
    """
    request = resolve(
        view,
        asked.url,
        method=asked.method,
        headers=asked.headers,
        as_=asked.as_,
        via=asked.via,
    )
    if isinstance(request, Unresolved):
        return request
    proxy = view.proxy(request.way.proxy)
    listener = listener_of(proxy, request)
    if listener is None:
        return Unresolved("NoListener", f"{proxy.name} does not listen there")
    connect = (listener.addresses[0], listener.port)
    return WayIn(trace(view, request), connect, access_logs.get(proxy.name, ()))


async def ask(asked: Asked, way: WayIn) -> Outcome | Problem:
    """Send one request and learn who answered.  ValueError if it cannot be written as HTTP."""
    (found,) = await ask_often(asked, way, 1)
    return found


async def ask_often(asked: Asked, way: WayIn, times: int) -> list[Outcome | Problem]:
    """The same, one after another, each on a connection of its own."""
    log = AccessLog([Path(path) for path in way.access_logs])
    sent: list[tuple[str, HttpAnswer | Problem]] = []
    for _ in range(times):
        request, request_id = http_request(asked, way)
        sent.append((request_id, await send(way.entry(), request, asked.max_seconds)))
    found: list[Outcome | Problem] = []
    for request_id, answer in sent:
        if isinstance(answer, Problem):
            found.append(answer)
            continue
        client = shown(answer.local)
        line = await log.line_of(request_id, client, LOG_SECONDS)
        found.append(Outcome(way=way, answer=answer, line=line))
    return found


def http_request(asked: Asked, way: WayIn) -> tuple[HttpRequest, str]:
    """The request as it goes on the wire, and its x-request-id."""
    traced = way.trace.request
    own = {
        "host": ("Host", traced.authority),
        "user-agent": ("User-Agent", f"serai/{__version__}"),
        "accept": ("Accept", "*/*"),
        REQUEST_ID: (REQUEST_ID, str(uuid.uuid4())),
    }
    if asked.body:
        own["content-type"] = ("Content-Type", "application/x-www-form-urlencoded")
    written = {name.lower() for name, _ in asked.headers}
    headers = [pair for name, pair in own.items() if name not in written or name == "host"]
    headers += [(name, value) for name, value in asked.headers if value and name.lower() != "host"]
    parts = urlsplit(asked.url)
    request = HttpRequest(
        method=asked.method,
        target=quote(traced.path, safe=_PLAIN),
        headers=tuple(headers),
        body=asked.body,
        tls_name=(parts.hostname or "") if traced.scheme == "https" else "",
        verify=asked.verify,
    )
    return request, next(value for name, value in headers if name.lower() == REQUEST_ID)


def shown_route(name: str | None) -> str:
    """A route's name in Envoy, as a person would say it (translate.httproute)."""
    if not name:
        return "no route"
    parts = name.split("/")
    with contextlib.suppress(ValueError):
        namespace, route, rule, _ = parts
        return f"{namespace}/{route} rule {rule}"
    if name.startswith(UNMATCHED):
        return f"none of the routes of namespace {name.removeprefix(UNMATCHED)}"
    return "default route" if name == DEFAULT else name
