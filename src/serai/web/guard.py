"""Who may ask: only pages and programs of this machine, and what they get in every answer."""

from __future__ import annotations

from ipaddress import ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ALWAYS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """Refuses requests whose Host or Origin is not of this machine.

    A page of anybody's can make a browser send requests to a loopback address, and, once its name
    resolves to that address, read the answers.  The name in the Host header gives it away.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        """`hosts` are names that may be asked for beside loopback addresses and localhost."""
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 403."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_more(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_ALWAYS)
            await send(message)

        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if not self._is_ours(headers.get("host", "")):
            words = "ask for localhost or a loopback address: no other Host is answered here\n"
            await PlainTextResponse(words, 403)(scope, receive, send_more)
        elif origin is not None and not self._is_ours(origin.partition("://")[2]):
            words = "pages of other origins are not answered here\n"
            await PlainTextResponse(words, 403)(scope, receive, send_more)
        else:
            await self._app(scope, receive, send_more)

    def _is_ours(self, authority: str) -> bool:
        host = _without_port(authority).lower()
        return host == "localhost" or host in self._hosts or _is_loopback(host)


def _without_port(authority: str) -> str:
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    host, colon, port = authority.rpartition(":")
    return host if colon and port.isdecimal() else authority


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
