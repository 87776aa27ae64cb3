"""A small OpenID provider, and a browser that logs in there: the code flow, with PKCE."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import trustme

from listening import listening
from serai.app.client.http import HttpAnswer


class Provider:
    """Gives codes to whoever asks, as if a person had logged in, and tokens for codes."""

    def __init__(self, client: str, secret: str) -> None:
        self.client = client
        self.secret = secret
        self.lifetime_seconds = 3600
        self.access: Callable[[int], str] = "access-{}".format
        """The tokens that callers get, by how many were granted."""
        self.identity: Callable[[int], str] | None = None
        """Their ID tokens, if they get any."""
        self.granted: list[str] = []
        """The kinds of grants that tokens were given for."""
        self._codes: dict[str, dict[str, str]] = {}

    def authorize(self, url: str) -> str:
        """What a browser that was sent here is sent back to, with a code."""
        asked = dict(parse_qsl(urlsplit(url).query))
        assert asked["client_id"] == self.client and asked["response_type"] == "code"
        code = f"code-{len(self._codes)}"
        self._codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, form: dict[str, str]) -> tuple[int, dict[str, object]]:
        """The answer of the token endpoint."""
        if (form.get("client_id"), form.get("client_secret")) != (self.client, self.secret):
            return 401, {"error": "invalid_client"}
        if form["grant_type"] == "authorization_code":
            asked = self._codes.pop(form["code"], None)
            proof = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            challenge = base64.urlsafe_b64encode(proof).decode().rstrip("=")
            if asked is None or asked["code_challenge"] != challenge:
                return 400, {"error": "invalid_grant"}
            if asked["redirect_uri"] != form["redirect_uri"]:
                return 400, {"error": "invalid_grant"}
        elif form.get("refresh_token") != f"refresh-{len(self.granted)}":
            return 400, {"error": "invalid_grant"}
        self.granted.append(form["grant_type"])
        known = {"id_token": self.identity(len(self.granted))} if self.identity else {}
        return 200, {
            **known,
            "access_token": self.access(len(self.granted)),
            "refresh_token": f"refresh-{len(self.granted)}",
            "token_type": "Bearer",
            "expires_in": self.lifetime_seconds,
        }


@contextlib.asynccontextmanager
async def providing(provider: Provider, address: str, port: int) -> AsyncIterator[None]:
    """Serve the token endpoint."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                lines = (line.partition(": ") for line in head.split("\r\n"))
                headers = {name.lower(): value for name, _, value in lines}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
                status, found = provider.token(form)
                text = json.dumps(found).encode()
                writer.write(
                    f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n"
                    f"content-length: {len(text)}\r\n\r\n".encode()
                    + text
                )
        writer.close()

    async with listening(serve, address, port):
        yield


@contextlib.asynccontextmanager
async def publishing(
    answer: Callable[[str], bytes], identity: trustme.LeafCert
) -> AsyncIterator[str]:
    """Serve an issuer's document over TLS at localhost; its URI."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    identity.configure_cert(context)
    uri = ""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            found = head.startswith("GET /realm/.well-known/openid-configuration ")
            body = answer(uri) if found else b""
            status = b"200 OK" if body else b"404 Not Found"
            length = str(len(body)).encode()
            writer.write(
                b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: " + length
            )
            writer.write(b"\r\n\r\n" + body)
        writer.close()

    async with listening(serve, "127.0.0.1", ssl=context) as server:
        uri = f"https://localhost:{server.sockets[0].getsockname()[1]}/realm"
        yield uri


class Browser:
    """Asks with the cookies that it was given, and keeps those that it is given."""

    def __init__(self, ask: Callable[[str, dict[str, str]], Awaitable[HttpAnswer]]) -> None:
        self.cookies: dict[str, str] = {}
        self.flags: dict[str, str] = {}
        self._ask = ask

    async def get(self, path: str, **headers: str) -> HttpAnswer:
        """One request; what it answers is not followed."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        found = await self._ask(path, {**headers, **({"cookie": cookie} if cookie else {})})
        for name, value in found.headers:
            if name == "set-cookie":
                self._keep(value)
        return found

    def _keep(self, text: str) -> None:
        for name, morsel in SimpleCookie(text).items():
            self.flags[name] = text
            if morsel["max-age"] == "0" or "1970" in morsel["expires"] or not morsel.value:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.coded_value
