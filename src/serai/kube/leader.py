"""Leader election on an API server: every replica tries, one leads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic

import structlog

from serai.kube.access import Access, ApiError
from serai.kube.election import RENEW_SECONDS, RETRY_SECONDS, Election
from serai.kube.resource import Resource
from serai.kube.wire import Name

log = structlog.get_logger(__name__)

LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")


class Leader:
    """Tries to lead, and says whether it does."""

    def __init__(
        self, access: Access, lease: Name, identity: str, on_change: Callable[[bool], None]
    ) -> None:
        """`on_change` hears when we begin to lead and when we no longer do."""
        self.election = Election(identity)
        self._access = access
        self._lease = lease
        self._on_change = on_change
        self._was = False

    def leading(self) -> bool:
        """Whether we lead at this moment."""
        return self.election.leading(monotonic())

    async def run(self) -> None:
        """Try until cancelled; then give up what we have."""
        try:
            while True:
                began = monotonic()
                await self._try(began)
                self._tell()
                await self._sleep(began)
        finally:
            await self._release()

    async def _try(self, began: float) -> None:
        try:
            async with asyncio.timeout(RENEW_SECONDS / 2):
                lease = await self._access.read(LEASES, self._lease)
                wanted = self.election.saw(lease, monotonic(), datetime.now(UTC))
                if wanted is None:
                    return
                wanted["metadata"] = {**wanted.get("metadata", {}), "name": self._lease.name}
                if lease is None:
                    await self._access.create(LEASES, self._lease.namespace, wanted)
                else:
                    # With the resourceVersion that was read: of two that claim it, one is refused.
                    await self._access.replace(LEASES, self._lease, wanted)
                # Whoever asked while what we had was over, and this not taken, was told no.
                self._tell()
                self.election.wrote(began)
        except (ApiError, TimeoutError) as error:
            log.info("leader.not_renewed", lease=self._lease.name, error=str(error))

    async def _sleep(self, began: float) -> None:
        """Until it is time to renew; tells in time should we no longer lead."""
        await asyncio.sleep(max(0.1, began + RETRY_SECONDS - monotonic()))
        self._tell()

    def _tell(self) -> None:
        leading = self.leading()
        if leading != self._was:
            self._was = leading
            log.info("leader.changed", leading=leading, holder=self.election.holder)
            self._on_change(leading)

    async def _release(self) -> None:
        if not self.leading():
            return
        try:
            async with asyncio.timeout(RETRY_SECONDS):
                lease = await self._access.read(LEASES, self._lease)
                if lease and lease["spec"].get("holderIdentity") == self.election.identity:
                    free = self.election.released(lease, datetime.now(UTC))
                    await self._access.replace(LEASES, self._lease, free)
        except (ApiError, TimeoutError) as error:
            log.info("leader.not_released", error=str(error))
        self._tell()
