"""Envoy's admin interface."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

import httpx2
import msgspec

from serai.envoy.cluster_state import ClusterState, read_clusters

if TYPE_CHECKING:
    from types import TracebackType

TIMEOUT_SECONDS = 5.0
DUMP_SECONDS = 60.0
"""For all clusters, which may be 100 MB."""


class AdminError(Exception):
    """Envoy's admin interface gave no usable answer.  The text says which one, and why."""


class Admin:
    """A client of one Envoy's admin interface; every method raises AdminError and nothing else."""

    def __init__(self, address: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        """`address` is ``host:port``."""
        self.address = address
        # No proxy of the environment: the admin interface is on this machine.  And no TLS: loading
        # the authorities would take longer than all else.
        try:
            self._http = httpx2.AsyncClient(
                base_url=f"http://{address}",
                timeout=timeout_seconds,
                trust_env=False,
                verify=False,
            )
        except httpx2.InvalidURL as error:
            raise AdminError(f"{address!r} is no address of an admin interface") from error

    async def __aenter__(self) -> Self:
        """The client itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def is_ready(self) -> bool:
        """Whether Envoy is LIVE: it has its first configuration and is not draining."""
        return (await self._send("GET", "/ready", accept=(200, 503))).strip() == b"LIVE"

    async def server_info(self) -> dict[str, Any]:
        """Version, state, uptime and command line (admin.v3.ServerInfo)."""
        return await self._json("/server_info")

    async def clusters(self) -> tuple[ClusterState, ...]:
        """Every cluster and its endpoints, by name."""
        path = "/clusters?format=json"
        body = await self._send("GET", path, timeout_seconds=DUMP_SECONDS)
        try:
            return await asyncio.to_thread(read_clusters, body)
        except (msgspec.DecodeError, ValueError) as error:
            raise self._unusable(path, error) from error

    async def stats(self, pattern: str = "") -> dict[str, int]:
        """Counters and gauges whose names match a regular expression (RE2, unanchored)."""
        query = {"format": "json", "type": "All", "filter": pattern}
        answer = await self._json(f"/stats?{httpx2.QueryParams(query)}")
        return {each["name"]: each["value"] for each in answer.get("stats", ()) if "value" in each}

    async def fail_health_checks(self) -> None:
        """Say DRAINING to whoever asks, and end each connection after its present request."""
        await self._send("POST", "/healthcheck/fail")

    async def stop_listening(self) -> None:
        """Close the listening sockets; connections that are open stay open."""
        await self._send("POST", "/drain_listeners")

    async def busy(self) -> int:
        """Requests in flight, plus open connections that are not HTTP."""
        return _busy(await self.stats(r"^(http|listener)\..*\.downstream_(rq|cx)_active$"))

    async def _json(self, path: str) -> dict[str, Any]:
        body = await self._send("GET", path)
        try:
            return msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise self._unusable(path, error) from error

    def _unusable(self, path: str, error: Exception) -> AdminError:
        return AdminError(f"Envoy's admin at {self.address}: {path}: {error}")

    async def _send(
        self,
        method: str,
        path: str,
        *,
        accept: tuple[int, ...] = (200,),
        timeout_seconds: float | None = None,
    ) -> bytes:
        timeout = httpx2.USE_CLIENT_DEFAULT if timeout_seconds is None else timeout_seconds
        try:
            answer = await self._http.request(method, path, timeout=timeout)
        except httpx2.TimeoutException as error:
            text = f"Envoy's admin at {self.address} did not answer {path} in time"
            raise AdminError(text) from error
        except httpx2.HTTPError as error:
            raise self._unusable(path, error) from error
        if answer.status_code not in accept:
            text = f"Envoy's admin at {self.address} answered {path} with {answer.status_code}"
            raise AdminError(text)
        return answer.content


def _busy(stats: dict[str, int]) -> int:
    """See Admin.busy; without the admin interface itself, and each listener counted once."""
    requests = http_connections = connections = 0
    for name, value in stats.items():
        if name.startswith(("http.admin.", "listener.admin.")):
            continue
        if name.startswith("listener."):
            per_worker = ".worker_" in name or ".main_thread." in name
            connections += 0 if per_worker or not name.endswith("cx_active") else value
        elif name.endswith("rq_active"):
            requests += value
        else:
            http_connections += value
    return requests + max(0, connections - http_connections)
