"""Our own rate limit service, run beside the Envoys from when a policy first asks it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping

import msgspec
import structlog

from serai.api.meta import Key
from serai.api.rate_limit_config import Domain
from serai.app.core import Core
from serai.envoy.companion import Companion
from serai.envoy.state import PRIVATE, Instance, write_atomically
from serai.model.rate_limits import OWN_CLUSTER, Limits, in_force
from serai.translate.clusters import ClusterKey

log = structlog.get_logger(__name__)


class OwnRateLimits:
    """A process of its own: it answers while the control plane computes, and after its death."""

    def __init__(self, instance: Instance, core: Core, *, bind_life: bool) -> None:
        self._core = core
        self._socket = instance.rate_limits_socket
        self._folder = instance.folder / "rate-limits"
        self._given: Mapping[Key, Limits] | None = None
        self._companion = Companion(
            instance,
            "rate-limits",
            (
                *(sys.executable, "-m", "serai", "ratelimit", str(self._folder)),
                *("--listen", f"unix:{self._socket}", "--log-format", "json"),
                *(("--bound",) if bind_life else ()),
            ),
            self._is_ready,
            bind_life=bind_life,
        )

    @property
    def pid(self) -> int:
        """Of the process; 0 while there is none."""
        return self._companion.pid

    async def ensure(self) -> None:
        """Hand on the limits of the moment, and have it running if any proxy is to ask it."""
        pipeline = self._core.pipeline
        ours = pipeline.settings.rate_limit_service == f"unix://{self._socket}"
        if not ours or pipeline.translated.clusters.row(ClusterKey(OWN_CLUSTER)) is None:
            return
        limits = dict(pipeline.rate_limits.items())
        if limits != self._given:
            try:
                self._write([domain for _, domain in in_force(limits.items()).values()])
            except OSError as error:
                log.exception("rate_limits.not_written", error=str(error))
                return
            self._given = limits
        await self._companion.ensure()

    async def stop(self) -> None:
        """End it, if it runs."""
        await self._companion.stop()
        self._socket.unlink(missing_ok=True)

    def _write(self, domains: list[Domain]) -> None:
        self._folder.mkdir(mode=PRIVATE, exist_ok=True)
        ordered = sorted(domains, key=lambda each: each.domain)
        write_atomically(self._folder / "limits.json", msgspec.json.encode(ordered))

    async def _is_ready(self) -> bool:
        try:
            _, writer = await asyncio.open_unix_connection(str(self._socket))
        except OSError:
            return False
        writer.close()
        return True
