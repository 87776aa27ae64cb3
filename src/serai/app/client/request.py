"""`serai request`: one request, sent as a client of the mesh would, and who answered it."""

from __future__ import annotations

import contextlib
import string
import tempfile
import uuid
from pathlib import Path
from urllib.parse import quote, urlsplit

import msgspec

from serai import __version__
from serai.api.problem import Problem
from serai.app.client.access_log import AccessLine, AccessLog
from serai.app.client.hbone import Tunnel
from serai.app.client.http import Entry, Headers, HttpAnswer, HttpRequest, send
from serai.app.identity import CHAIN, KEY, ROOT, Authority
from serai.model.addresses import with_port
from serai.trace.request import Destination
from serai.translate.names import INWARD, ORIGINATE
from serai.views.tracing import TraceQuestion
from serai.web.enter import WayIn

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
    hbone: bool = False
    """Through a tunnel, as ztunnel would."""
    identity: str = ""
    """Path of a folder with the caller's certificate; else one is made, where that can be done."""
    verify: bool = True
    max_seconds: float | None = None

    @property
    def question(self) -> TraceQuestion:
        """What has to be asked for its way in."""
        return TraceQuestion(
            url=self.url,
            method=self.method,
            headers=self.headers,
            as_=self.as_,
            via=self.via,
            hbone=self.hbone,
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
        found = (self.line.upstream_host if self.line else None) or ""
        # What is reached by a tunnel stands behind the listener that opens it.
        if found.startswith(f"envoy://{INWARD}/"):
            entrance, network, *_ = found.removeprefix(f"envoy://{INWARD}/").split("/")
            return f"{entrance} into network {network}"
        return found.removeprefix(f"envoy://{ORIGINATE}/")

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


async def ask(asked: Asked, way: WayIn) -> Outcome | Problem:
    """Send one request and learn who answered.  ValueError if it cannot be written as HTTP."""
    (found,) = await ask_often(asked, way, 1)
    return found


async def ask_often(asked: Asked, way: WayIn, times: int) -> list[Outcome | Problem]:
    """The same, one after another, each on a connection of its own."""
    log = AccessLog(Path(way.access_log) if way.access_log else None)
    sent: list[tuple[str, HttpAnswer | Problem]] = []
    with tempfile.TemporaryDirectory() as folder:
        start = _tunnelled(entry(way), asked, way, Path(folder))
        if isinstance(start, Problem):
            return [start]
        for _ in range(times):
            request, request_id = http_request(asked, way)
            sent.append((request_id, await send(start, request, asked.max_seconds)))
    found: list[Outcome | Problem] = []
    for request_id, answer in sent:
        if isinstance(answer, Problem):
            found.append(answer)
            continue
        client = with_port(*answer.local)
        line = await log.line_of(request_id, client, LOG_SECONDS)
        found.append(Outcome(way=way, answer=answer, line=line))
    return found


def entry(way: WayIn) -> Entry:
    """How to connect, and what to say before the request."""
    request = way.trace.request
    if not isinstance(request.way, Destination) or not request.way.proxied or request.way.hbone:
        return Entry(connect=way.connect)
    return Entry(
        connect=way.connect,
        destination=(request.way.address, request.way.port),
        principal=request.principal or "",
    )


def _tunnelled(start: Entry, asked: Asked, way: WayIn, folder: Path) -> Entry | Problem:
    """The same inside a tunnel, if it is to be so; `folder` takes a certificate made for it."""
    to = way.trace.request.way
    if not isinstance(to, Destination) or not to.hbone:
        return start
    if not asked.identity:
        if not way.authority:
            return Problem(
                "SER0806",
                "error",
                f"{way.gateway} takes certificates that somebody else signs; nothing was sent.",
                "Name a folder with cert-chain.pem, key.pem and root-cert.pem: --identity FOLDER.",
            )
        identity = way.trace.request.principal or ""
        Authority(Path(way.authority), "").issue(folder, identity)
    files = Path(asked.identity) if asked.identity else folder
    tunnel = Tunnel(
        authority=with_port(to.address, to.port),
        chain=str(files / CHAIN),
        key=str(files / KEY),
        root=str(files / ROOT),
    )
    return msgspec.structs.replace(start, tunnel=tunnel)


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
