"""Requests to an API server: who we are, what is asked, and what goes wrong as values."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import httpx2
import msgspec

from serai.kube.connections import CONNECT_SECONDS, Connections
from serai.kube.login import LoginError
from serai.kube.resource import AGGREGATED, Discovery, Resource, read_discovery
from serai.kube.wire import Failure, Name, read_failure

FIELD_MANAGER = "serai.dev/gateway-controller"
"""Under this name the API server remembers which fields are ours."""

APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"

Params = Mapping[str, str]


class ApiError(Exception):
    """An API server did not do what it was asked for, or was not reached."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure

    @property
    def status(self) -> int:
        """Of HTTP; 0 where there was no answer."""
        return self.failure.status


class Access:
    """One API server, as one user.  All methods raise ApiError, and nothing else."""

    def __init__(self, connections: Connections, *, server: str, namespace: str) -> None:
        self.server = server
        """Its address, for people."""
        self.namespace = namespace
        """Where we are ourselves, as far as the configuration says."""
        self._connections = connections

    async def close(self) -> None:
        """End all connections."""
        await self._connections.close()

    async def get(self, path: str, params: Params | None = None, accept: str = "") -> bytes:
        """What is at a path."""
        return await self._ask("GET", path, params, headers={"Accept": accept} if accept else {})

    async def discover(self) -> Discovery:
        """All that is served."""
        answers = [await self.get(path, accept=AGGREGATED) for path in ("/api", "/apis")]
        try:
            return read_discovery(*answers)
        except msgspec.DecodeError as error:
            raise ApiError(Failure(message=f"{self.server}: no discovery: {error}")) from error

    async def read(self, resource: Resource, name: Name) -> dict[str, Any] | None:
        """One object; None if there is none."""
        try:
            return _object(await self.get(resource.path(name)))
        except ApiError as error:
            if error.status == httpx2.codes.NOT_FOUND:
                return None
            raise

    async def create(self, resource: Resource, namespace: str, obj: object) -> dict[str, Any]:
        """Make an object."""
        return await self._write("POST", resource.path(Name(namespace, "")), obj)

    async def apply(
        self,
        resource: Resource,
        name: Name,
        obj: Mapping[str, Any],
        *,
        subresource: Literal["", "status"] = "",
        manager: str = FIELD_MANAGER,
    ) -> dict[str, Any]:
        """Server-side apply: the fields in `obj` are ours from now on, others of ours go.

        Where `obj` has a resourceVersion, only if it is still of that version.  `manager`: as whom.
        """
        head = {"apiVersion": resource.api_version, "kind": resource.kind}
        params = {"fieldManager": manager, "force": "true"}
        path = resource.path(name, subresource)
        return await self._write("PATCH", path, {**head, **obj}, APPLY, params)

    async def patch(
        self, resource: Resource, name: Name, patch: object, form: str, subresource: str = ""
    ) -> dict[str, Any]:
        """Change an object in place; `form` is JSON_PATCH or MERGE_PATCH."""
        path = resource.path(name, subresource)
        return await self._write("PATCH", path, patch, form, {"fieldManager": FIELD_MANAGER})

    async def replace(self, resource: Resource, name: Name, obj: object) -> dict[str, Any]:
        """Replace an object; with its resourceVersion, only if it is still of that version."""
        return await self._write("PUT", resource.path(name), obj)

    async def delete(self, resource: Resource, name: Name, uid: str = "") -> None:
        """Delete an object, with `uid` only that very one; nothing if there is none."""
        body = {"preconditions": {"uid": uid}} if uid else {}
        try:
            await self._write("DELETE", resource.path(name), body)
        except ApiError as error:
            if error.status != httpx2.codes.NOT_FOUND:
                raise

    @asynccontextmanager
    async def watch(
        self, path: str, params: Params, silence: float, accept: str = ""
    ) -> AsyncIterator[AsyncIterator[list[bytes]]]:
        """The lines of a watch, as many at a time as have come; ends with it.

        ApiError where nothing comes for `silence` seconds.
        """
        timeout = httpx2.Timeout(CONNECT_SECONDS, read=silence)
        headers = {"Accept": accept} if accept else {}
        try:
            client = await self._connections.client()
            asked = client.stream("GET", path, params=params, timeout=timeout, headers=headers)
            async with asked as answer:
                if answer.status_code != httpx2.codes.OK:
                    raise _error(answer, await answer.aread())
                yield _lines(answer)
        except (httpx2.HTTPError, LoginError, OSError) as error:
            raise _unreached(error, self.server) from error

    async def _write(
        self,
        method: str,
        path: str,
        body: object,
        form: str = "application/json",
        params: Params | None = None,
    ) -> dict[str, Any]:
        content = msgspec.json.encode(body)
        headers = {"Content-Type": form}
        return _object(await self._ask(method, path, params, content=content, headers=headers))

    async def _ask(
        self,
        method: str,
        path: str,
        params: Params | None,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str],
    ) -> bytes:
        try:
            client = await self._connections.client()
            answer = await client.request(
                method, path, params=params, content=content, headers=headers
            )
        except (httpx2.HTTPError, LoginError, OSError) as error:
            raise _unreached(error, self.server) from error
        if not answer.is_success:
            raise _error(answer, answer.content)
        return answer.content


async def _lines(answer: httpx2.Response) -> AsyncIterator[list[bytes]]:
    rest = b""
    async for chunk in answer.aiter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        if lines:
            yield lines


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise ApiError(Failure(message=f"not JSON: {error}")) from error
    return found if isinstance(found, dict) else {}


def _error(answer: httpx2.Response, body: bytes) -> ApiError:
    retry_after = answer.headers.get("retry-after", "")
    return ApiError(read_failure(answer.status_code, body, retry_after))


def _unreached(error: Exception, server: str) -> ApiError:
    return ApiError(Failure(message=f"{server}: {str(error) or type(error).__name__}"))


async def connect(kubeconfig: Path | None = None, context: str = "") -> Access:
    """Who we are by a file; without one by our Pod's ServiceAccount, KUBECONFIG or ~/.kube/config.

    Nothing is asked yet.  Raises ApiError if nothing says who we are.
    """
    # In a thread: it reads files, and loads what the rest of the program can do without.
    return await asyncio.to_thread(_connect, kubeconfig, context)


def _connect(kubeconfig: Path | None, context: str) -> Access:
    from lightkube import ConfigError, KubeConfig  # noqa: PLC0415  0.1 s
    from yaml import YAMLError  # noqa: PLC0415

    def read() -> Any:
        try:
            found = KubeConfig.from_file(kubeconfig) if kubeconfig else KubeConfig.from_env()
        except (AttributeError, TypeError, YAMLError) as error:  # what is no map of the right keys
            raise ConfigError(
                f"{kubeconfig or 'what KUBECONFIG names'} is no kubeconfig"
            ) from error
        single = found.get(context or None)
        if single is None:
            raise ConfigError("the kubeconfig has no current context")
        return single

    try:
        single = read()
    except (ConfigError, KeyError, ValueError, OSError) as error:
        raise ApiError(Failure(message=f"no way to an API server: {error}")) from error
    return _access(single, read)


def access_of(single: Any) -> Access:
    """The API server that a lightkube SingleConfig leads to.  Raises ApiError."""
    return _access(single, lambda: single)


def _access(single: Any, read: Callable[[], Any]) -> Access:
    from lightkube import ConfigError  # noqa: PLC0415

    try:
        connections = Connections(read)
    except (ConfigError, LoginError, ValueError, OSError) as error:
        message = f"{single.cluster.server}: cannot be used: {error}"
        raise ApiError(Failure(message=message)) from error
    return Access(connections, server=single.cluster.server, namespace=single.namespace)
