"""The connections to an API server: made anew where what they are made with has changed.

Who we are may stand in files that somebody replaces while we run: certificates and their keys, the
authority of the API server, the kubeconfig as a whole.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Generator
from pathlib import Path
from time import monotonic
from typing import Any

import httpx2
import structlog
import yaml

from serai.kube.login import VERSIONS, Command, LoginError, Plugin, TokenFile, cluster_info

log = structlog.get_logger(__name__)

ANSWER_SECONDS = 30.0
CONNECT_SECONDS = 5.0

MOST_CONNECTIONS = 200
"""Each watch has one of its own."""

LOOK_SECONDS = 10.0
"""How often at most it is looked whether a file has changed."""

LINGER_SECONDS = 310.0
"""For which connections of before are kept: no watch is asked to last longer."""

NOT_DONE = {
    "cluster": ("proxy-url", "tls-server-name"),
    "user": ("as", "as-uid", "as-groups", "as-user-extra", "auth-provider"),
}
"""Fields of kubeconfigs that would change whom we talk to, or as whom, and are not supported."""

Single = Any
"""A lightkube SingleConfig."""


class Connections:
    """An HTTP client, another one as soon as a file has changed."""

    def __init__(self, read: Callable[[], Single]) -> None:
        """`read` says how the API server is reached, as it is now.

        Raises LoginError, lightkube's ConfigError, ValueError or OSError where that cannot be used.
        """
        self._read = read
        self._stale = False
        self._looked = monotonic()
        self._closing: set[asyncio.Task[None]] = set()
        single = read()
        self._files = _files(single)
        self._stamp = _stamp(self._files)
        self._client = _client(single, self.renew)

    async def client(self) -> httpx2.AsyncClient:
        """The one to ask with now."""
        if self._stale or monotonic() - self._looked > LOOK_SECONDS:
            stale, self._stale, self._looked = self._stale, False, monotonic()
            # In a thread: it reads files.
            made = await asyncio.to_thread(self._made, stale=stale)
            if made is not None:
                before, self._client = self._client, made
                closing = asyncio.create_task(_close_later(before))
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)
        return self._client

    def renew(self) -> None:
        """Make the next request by a connection of its own."""
        self._stale = True

    async def close(self) -> None:
        """End all connections."""
        for closing in self._closing:
            closing.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)
        await self._client.aclose()

    def _made(self, *, stale: bool) -> httpx2.AsyncClient | None:
        """Another client, if there is need of one and it can be made."""
        stamp = _stamp(self._files)
        if stamp == self._stamp and not stale:
            return None
        try:
            single = self._read()
            made = _client(single, self.renew)
        except Exception as error:  # noqa: BLE001  whatever may stand in a half-written file
            # What we have may be good for a while, and the files are looked at again.
            log.warning("kube.login_not_read", error=str(error))
            self._stale = stale
            return None
        self._files = _files(single)
        # Of before it was read: what changes meanwhile is looked at again.
        self._stamp = {path: stamp.get(path, now) for path, now in _stamp(self._files).items()}
        log.info("kube.login_renewed", server=single.cluster.server)
        return made


async def _close_later(client: httpx2.AsyncClient) -> None:
    """Watches that are under way may come to their end."""
    try:
        await asyncio.sleep(LINGER_SECONDS)
    finally:
        await client.aclose()


def _client(single: Single, renew: Callable[[], None]) -> httpx2.AsyncClient:
    from lightkube.config.client_adapter import verify_cluster  # noqa: PLC0415  0.1 s
    from lightkube.config.models import User  # noqa: PLC0415

    context = verify_cluster(single.cluster, single.user or User(), single.abs_file)
    return httpx2.AsyncClient(
        base_url=single.cluster.server,
        verify=context,
        auth=_login(single, context, renew),
        timeout=httpx2.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        limits=httpx2.Limits(max_connections=MOST_CONNECTIONS),
    )


def _login(
    single: Single, context: ssl.SSLContext, renew: Callable[[], None]
) -> httpx2.Auth | None:
    written = _written(single)
    for name, fields in NOT_DONE.items():
        for field in fields:
            if written[name].get(field):
                raise LoginError(f"{name}'s {field} is not supported")
    user = single.user
    if user is None:
        return None
    if user.token_file is not None:
        return TokenFile(Path(single.abs_file(user.token_file)))
    if user.token is not None:
        return _Token(user.token)
    if user.exec is not None:
        return Plugin(_command(single, written["user"]), context, renew)
    if user.username and user.password:
        return httpx2.BasicAuth(user.username, user.password)
    return None


class _Token(httpx2.Auth):
    """A token that stays."""

    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}"

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Show it."""
        request.headers["Authorization"] = self._header
        yield request


def _command(single: Single, user: dict[str, Any]) -> Command:
    asked = single.user.exec
    written = user.get("exec") or {}
    if asked.apiVersion not in VERSIONS:
        raise LoginError(f"exec of {asked.apiVersion} is not supported, but {', '.join(VERSIONS)}")
    if written.get("interactiveMode") == "Always":
        raise LoginError(f"{asked.command} wants to ask somebody, and nobody is there")
    command = asked.command
    if "/" in command:
        command = str(single.abs_file(command))
    cluster = cluster_info(single.cluster) if written.get("provideClusterInfo") else None
    return Command(
        (command, *(asked.args or ())),
        asked.apiVersion,
        {each.name: each.value for each in asked.env or ()},
        cluster,
        asked.installHint or "",
    )


def _written(single: Single) -> dict[str, dict[str, Any]]:
    """The cluster and the user as their file has them: lightkube leaves out what it does not do."""
    found: dict[str, dict[str, Any]] = {"cluster": {}, "user": {}}
    if single.fname is None or not Path(single.fname).is_file():
        return found
    config = yaml.safe_load(Path(single.fname).read_text("utf-8"))
    chosen = {"cluster": single.context.cluster, "user": single.context.user}
    for name, wanted in chosen.items():
        for each in config.get(f"{name}s") or ():
            if each.get("name") == wanted:
                found[name] = each.get(name) or {}
    return found


def _files(single: Single) -> tuple[Path, ...]:
    """Those that decide with whom and as whom we talk; a token's are read where it is shown."""
    user = single.user
    named = [single.cluster.certificate_auth]
    named += [user.client_cert, user.client_key] if user is not None else []
    found = [Path(single.abs_file(each)) for each in named if each]
    return (*found, Path(single.fname)) if single.fname else tuple(found)


def _stamp(files: tuple[Path, ...]) -> dict[Path, tuple[int, int, int]]:
    """What changes with any of them; also where they are links, as in Pods."""
    found: dict[Path, tuple[int, int, int]] = {}
    for path in files:
        try:
            stat = path.stat()
        except OSError:
            continue  # it is being replaced
        found[path] = stat.st_mtime_ns, stat.st_size, stat.st_ino
    return found
