"""Who we are to an API server, as a kubeconfig says: tokens, files of tokens, commands for them.

Kubernetes: client-go credential plugins (client.authentication.k8s.io).  A token in a file is that
of a Pod, which the kubelet replaces; one of a command has a time at which it ends.
"""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import httpx2
import msgspec

TOKEN_SECONDS = 60.0
"""After which a file of a token is read again; at once where the token is refused."""

COMMAND_SECONDS = 60.0
"""That a command may take."""

EARLY_SECONDS = 10.0
"""Before its end in which a token is no longer shown."""

AGAIN_SECONDS = 5.0
"""That must pass before a command is asked again for what was refused."""

UNAUTHORIZED = 401
VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_LONGEST = 300
"""Characters of what a command said that a message repeats."""


class LoginError(Exception):
    """Nothing says who we are, for a reason in words."""


class TokenFile(httpx2.Auth):
    """A token that somebody keeps in a file, and replaces in time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._token = ""
        self._read_at = 0.0

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Show it; if it is refused and there is another one by now, show that."""
        if not self._token or monotonic() - self._read_at > TOKEN_SECONDS:
            self._read()
        shown = self._token
        response = yield _bearing(request, shown)
        if response.status_code != UNAUTHORIZED:
            return
        self._read()
        if self._token != shown:
            yield _bearing(request, self._token)

    def _read(self) -> None:
        try:
            self._token = self._path.read_text("ascii").strip()
            self._read_at = monotonic()
        except (OSError, ValueError) as error:
            # The one before may still be good, and the file is mostly being replaced.
            if not self._token:
                raise LoginError(f"no token in {self._path}: {error}") from error


class _Status(msgspec.Struct, rename="camel"):
    token: str = ""
    expiration_timestamp: datetime | None = None
    client_certificate_data: str = ""
    client_key_data: str = ""


class _Credential(msgspec.Struct, rename="camel"):
    api_version: str
    kind: str
    status: _Status | None = None


_CREDENTIAL = msgspec.json.Decoder(_Credential)


class Command(msgspec.Struct, frozen=True):
    """A command that says who we are."""

    arguments: tuple[str, ...]
    version: str
    environment: Mapping[str, str] = {}
    cluster: Mapping[str, Any] | None = None
    """What it is told of the API server; None: nothing."""
    hint: str = ""
    """Where one gets it."""

    def variables(self) -> dict[str, str]:
        """What it is run with."""
        spec: dict[str, Any] = {"interactive": False}
        if self.cluster is not None:
            spec["cluster"] = dict(self.cluster)
        asked = {"apiVersion": self.version, "kind": "ExecCredential", "spec": spec}
        info = {"KUBERNETES_EXEC_INFO": msgspec.json.encode(asked).decode()}
        return {**os.environ, **info, **self.environment}


class Plugin(httpx2.Auth):
    """What a command says, until that ends or is refused.  However many ask, it runs once."""

    def __init__(
        self, command: Command, context: ssl.SSLContext | None, renew: Callable[[], None]
    ) -> None:
        """`context` gets the certificate; `renew` is called where there is another one later."""
        self._command = command
        self._context = context
        self._renew = renew
        self._known: _Status | None = None
        self._asked_at = 0.0
        self._running = asyncio.Lock()

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Show what is known; if it is refused, ask the command again."""
        shown = await self._found()
        response = yield _bearing(request, shown.token)
        if response.status_code != UNAUTHORIZED:
            return
        other = await self._found(refused=shown)
        if other is not shown:
            yield _bearing(request, other.token)

    async def _found(self, refused: _Status | None = None) -> _Status:
        async with self._running:
            known = self._known
            if known is not None and known is not refused and not _is_over(known):
                return known
            if known is not None and monotonic() - self._asked_at < AGAIN_SECONDS:
                return known
            found = _read(await self._run(), self._command.version)
            self._asked_at = monotonic()
            self._take_certificate(known, found)
            self._known = found
            return found

    def _take_certificate(self, before: _Status | None, found: _Status) -> None:
        if not found.client_certificate_data or self._context is None:
            return
        if before is None:
            _load(self._context, found.client_certificate_data, found.client_key_data)
        elif before.client_certificate_data != found.client_certificate_data:
            self._renew()  # connections that are there keep the one they began with

    async def _run(self) -> bytes:
        name = self._command.arguments[0]
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command.arguments,
                env=self._command.variables(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=pipe,
                stderr=pipe,
            )
        except OSError as error:
            hint = f"; {self._command.hint.strip()}" if self._command.hint else ""
            raise LoginError(f"{name} cannot be run: {error}{hint}") from error
        try:
            async with asyncio.timeout(COMMAND_SECONDS):
                said, complaint = await process.communicate()
        except TimeoutError as error:
            raise LoginError(f"{name} took longer than {COMMAND_SECONDS:.0f} seconds") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            words = complaint.decode(errors="replace").strip()[-_LONGEST:]
            raise LoginError(f"{name} ended with {process.returncode}: {words}")
        return said


def _bearing(request: httpx2.Request, token: str) -> httpx2.Request:
    if token:
        request.headers["Authorization"] = f"Bearer {token}"
    return request


def _is_over(known: _Status) -> bool:
    end = known.expiration_timestamp
    if end is None:
        return False
    end = end if end.tzinfo else end.replace(tzinfo=UTC)
    return (end - datetime.now(UTC)).total_seconds() < EARLY_SECONDS


def _read(said: bytes, version: str) -> _Status:
    try:
        found = _CREDENTIAL.decode(said)
    except msgspec.DecodeError as error:
        raise LoginError(f"the command for a token said no ExecCredential: {error}") from error
    if (found.kind, found.api_version) != ("ExecCredential", version):
        message = f"the command for a token said {found.kind} {found.api_version}, not {version}"
        raise LoginError(message)
    if found.status is None or not (found.status.token or found.status.client_certificate_data):
        raise LoginError("the command for a token said neither a token nor a certificate")
    return found.status


def _load(context: ssl.SSLContext, certificate: str, key: str) -> None:
    with tempfile.NamedTemporaryFile("w") as one, tempfile.NamedTemporaryFile("w") as other:
        one.write(certificate)
        other.write(key)
        one.flush()
        other.flush()
        try:
            context.load_cert_chain(one.name, other.name)
        except (ssl.SSLError, ValueError) as error:
            raise LoginError(f"the command for a certificate said none: {error}") from error


def cluster_info(cluster: Any) -> dict[str, Any]:
    """What a command is told of the API server, of a lightkube Cluster."""
    data = cluster.certificate_auth_data
    if cluster.certificate_auth:
        data = base64.b64encode(Path(cluster.certificate_auth).read_bytes()).decode()
    found = {
        "server": cluster.server,
        "certificate-authority-data": data,
        "insecure-skip-tls-verify": cluster.insecure,
    }
    return {name: value for name, value in found.items() if value}
