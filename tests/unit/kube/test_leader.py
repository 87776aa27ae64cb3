"""Who leads, and who is told of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from serai.kube.access import ApiError
from serai.kube.leader import Leader
from serai.kube.wire import Failure, Name


async def test_who_led_no_more_for_a_moment_is_told_that_he_leads_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("serai.kube.election.RENEW_SECONDS", 0.8)
    monkeypatch.setattr("serai.kube.leader.RETRY_SECONDS", 0.05)
    changes: list[bool] = []
    renewed = asyncio.Event()

    class Api:
        def __init__(self) -> None:
            self.lease: dict[str, Any] | None = None
            self.replaced = 0

        async def read(self, *_: object) -> dict[str, Any] | None:
            return self.lease

        async def create(self, _: object, __: str, lease: dict[str, Any]) -> None:
            self.lease = lease

        async def replace(self, _: object, __: Name, lease: dict[str, Any]) -> None:
            self.lease = lease
            self.replaced += 1
            if self.replaced == 1:
                await asyncio.sleep(0.4)
                raise ApiError(Failure(500))
            if self.replaced == 2:
                # Begun while we lead, and done when that has run out.
                await asyncio.sleep(0.4)
            elif self.replaced == 3:
                renewed.set()

    access: Any = Api()
    leader = Leader(access, Name("serai-system", "lease"), "one", changes.append)
    leading = asyncio.create_task(leader.run())
    await asyncio.wait_for(renewed.wait(), 5)
    assert changes == [True, False, True]
    leading.cancel()
    await asyncio.gather(leading, return_exceptions=True)
