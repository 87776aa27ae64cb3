from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import Any

from kube import assets
from kube.manifests import namespace
from kube.waiting import until
from serai.kube.access import Access
from serai.kube.election import LEASE_SECONDS, RENEW_SECONDS, Election
from serai.kube.leader import Leader
from serai.kube.wire import Name

WALL = datetime(2026, 1, 1, tzinfo=UTC)


def held(lease: dict[str, Any] | None) -> str:
    assert lease is not None
    return str(lease["spec"]["holderIdentity"])


def test_who_finds_no_lease_takes_it() -> None:
    one = Election("one")
    lease = one.saw(None, 0.0, WALL)
    assert held(lease) == "one"
    assert not one.leading(0.0)
    assert one.wrote(0.0)
    assert one.leading(1.0)


def test_who_cannot_renew_steps_down_before_anybody_else_may_begin() -> None:
    one, other = Election("one"), Election("other")
    lease = one.saw(None, 0.0, WALL)
    one.wrote(0.0)
    assert other.saw(lease, 0.5, WALL) is None
    assert not one.leading(RENEW_SECONDS)
    assert other.saw(lease, LEASE_SECONDS + 0.4, WALL) is None
    assert held(other.saw(lease, LEASE_SECONDS + 0.6, WALL)) == "other"


def test_a_lease_that_is_renewed_is_not_taken_whatever_the_clocks_say() -> None:
    one, other = Election("one"), Election("other")
    for second in range(100):
        lease = one.saw(None, float(second), datetime(1999, 1, 1, 0, 0, second % 60, tzinfo=UTC))
        assert other.saw(lease, float(second), WALL) is None


def test_who_sees_another_holder_no_longer_leads() -> None:
    one = Election("one")
    one.saw(None, 0.0, WALL)
    one.wrote(0.0)
    other = {"spec": {"holderIdentity": "other", "renewTime": "x", "leaseDurationSeconds": 15}}
    assert one.saw(other, 1.0, WALL) is None
    assert not one.leading(1.0)
    assert one.holder == "other"


def test_a_lease_that_was_given_up_is_taken_at_once() -> None:
    one, other = Election("one"), Election("other")
    lease = one.saw(None, 0.0, WALL)
    assert lease is not None
    one.wrote(0.0)
    other.saw(lease, 1.0, WALL)
    taken = other.saw(one.released(lease, WALL), 1.5, WALL)
    assert held(taken) == "other"
    assert taken is not None
    assert taken["spec"]["leaseTransitions"] == 1


async def test_of_two_replicas_one_leads_and_the_other_follows_it(
    api: assets.ApiServer, admin: Access
) -> None:
    space = await namespace(admin, "leaders")
    lease = Name(space, "serai")
    told: list[tuple[str, bool]] = []

    def hear(name: str, leading: bool) -> None:  # noqa: FBT001  as it is called
        told.append((name, leading))

    access = [api.access(), api.access()]
    leaders = [
        Leader(each, lease, name, partial(hear, name))
        for each, name in zip(access, ("one", "two"), strict=True)
    ]
    tasks = [asyncio.create_task(leaders[0].run())]
    await until(leaders[0].leading)
    tasks.append(asyncio.create_task(leaders[1].run()))
    await until(lambda: leaders[1].election.holder == "one")
    assert not leaders[1].leading()
    tasks[0].cancel()
    await asyncio.gather(tasks[0], return_exceptions=True)
    await until(leaders[1].leading)
    assert told == [("one", True), ("one", False), ("two", True)]
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for each in access:
        await each.close()
