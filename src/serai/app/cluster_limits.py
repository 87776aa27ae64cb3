"""The limits of a Kubernetes cluster, for a rate limit service that runs there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from serai.api.core import ConfigMap
from serai.api.kinds import by_kind
from serai.api.meta import Key
from serai.api.rate_limit_config import LABEL, Domain
from serai.kube.access import Access
from serai.kube.cluster import Cluster, Wanted
from serai.kube.reflector import Delta
from serai.model.rate_limits import Limits, in_force, limits_of
from serai.ratelimit.config import Found, UnusableError
from serai.sources.cluster import read_object

WANTED = Wanted("ConfigMap", "", "configmaps", ("v1",), {"labelSelector": f"{LABEL}=true"})


class ClusterLimits:
    """What the ConfigMaps with the label say.  One that is wrong keeps its last good limits."""

    def __init__(self, access: Access) -> None:
        self._cluster = Cluster(access, (WANTED,), self._heard)
        self._limits: dict[Key, Limits] = {}
        self._wrong: dict[Key, str] = {}
        self._news = asyncio.Event()

    async def follow(self) -> AsyncGenerator[Found, None]:
        """The domains, once all ConfigMaps were read and whenever one of them changes."""
        running = asyncio.create_task(self._cluster.run())
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                if not self._cluster.synced:
                    continue
                for key, message in self._wrong.items():
                    yield UnusableError(f"{key}: {message}")
                self._wrong.clear()
                yield self.domains()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def domains(self) -> tuple[Domain, ...]:
        """Those in force now."""
        return tuple(domain for _, domain in in_force(self._limits.items()).values())

    def _heard(self, name: str, delta: Delta) -> None:
        for gone in delta.gone:
            self._limits.pop(Key(name, gone.namespace, gone.name), None)
        kind = by_kind(name)
        for item in delta.put:
            if kind is None:
                break
            key, found, problems = read_object(kind, item.raw)
            limits = limits_of(key, found) if key and isinstance(found, ConfigMap) else None
            if key and limits:
                self._limits[key] = limits
            elif key and problems:
                self._wrong[key] = problems[0].message
        self._news.set()
