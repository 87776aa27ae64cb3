"""Asks the Envoys what they think of their endpoints, when somebody wants to know."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping

import msgspec

from serai.envoy.admin import Admin, AdminError
from serai.envoy.cluster_state import ClusterState, EndpointState
from serai.envoy.event import EnvoyStatus
from serai.model.addresses import SOCKET
from serai.views.state import EndpointHealth

ANSWER_SECONDS = 1.0
"""Who asks waits no longer.  An answer that takes longer is there for who asks next."""
LONGEST_SECONDS = 10.0
"""After so long a question to an Envoy is given up."""
FRESH_SECONDS = 1.0
"""So long an answer stands, so that many who ask are one for Envoy."""

_Health = Mapping[str, tuple[EndpointHealth, ...]]


class Heard(msgspec.Struct, frozen=True):
    """What the Envoys said, as serai.views.state.Facts has it."""

    health: _Health = {}
    """By cluster."""
    answered: Mapping[str, bool] = {}
    """By Gateway."""


class _Answer(msgspec.Struct, frozen=True):
    health: _Health | None
    """None where none came."""
    at: float
    """When it was there, by the monotonic clock."""


class EnvoyHealth:
    """Questions to the Envoys' admin interfaces, and answers that are still fresh."""

    def __init__(self) -> None:
        self._asking: dict[tuple[str, str], asyncio.Task[_Answer]] = {}

    async def of(self, envoys: Iterable[EnvoyStatus]) -> Heard:
        """What these say within ANSWER_SECONDS; of a Gateway's several Envoys, the first counts."""
        admins: dict[str, str] = {}
        for each in envoys:
            admins.setdefault(each.gateway, each.admin)
        self._forget(admins.items())
        asked = {(gateway, admin): self._ask(gateway, admin) for gateway, admin in admins.items()}
        if asked:
            await asyncio.wait(asked.values(), timeout=ANSWER_SECONDS)
        found = {
            gateway: task.result().health if task.done() and not task.cancelled() else None
            for (gateway, _), task in asked.items()
        }
        answers = [health for health in found.values() if health is not None]
        health = await asyncio.to_thread(_merged, answers) if len(answers) > 1 else None
        return Heard(
            health if health is not None else (answers or [{}])[0],
            {gateway: said is not None for gateway, said in found.items()},
        )

    async def close(self) -> None:
        """Give up what is being asked."""
        asking = list(self._asking.values())
        self._forget(())
        await asyncio.gather(*asking, return_exceptions=True)

    def _ask(self, gateway: str, admin: str) -> asyncio.Task[_Answer]:
        """The question that is under way, or was answered just now, or a new one."""
        task = self._asking.get((gateway, admin))
        if task is None or (task.done() and time.monotonic() - task.result().at > FRESH_SECONDS):
            task = self._asking[gateway, admin] = asyncio.create_task(_answer(gateway, admin))
        return task

    def _forget(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Envoys that are gone."""
        for key in self._asking.keys() - set(wanted):
            self._asking.pop(key).cancel()


async def _answer(gateway: str, address: str) -> _Answer:
    health = None
    if address:
        try:
            async with asyncio.timeout(LONGEST_SECONDS), Admin(address) as admin:
                clusters = await admin.clusters()
            health = await asyncio.to_thread(_by_cluster, gateway, clusters)
        except (AdminError, TimeoutError):
            # It is starting, or stuck: how it is, the state of the Envoy tells.
            health = None
    return _Answer(health, time.monotonic())


def _by_cluster(gateway: str, clusters: Iterable[ClusterState]) -> _Health:
    return {
        cluster.name: tuple(_health(gateway, each) for each in cluster.endpoints)
        for cluster in clusters
        if cluster.added_via_api  # the others are those of the bootstrap
    }


def _health(gateway: str, endpoint: EndpointState) -> EndpointHealth:
    said = "" if endpoint.healthy else f"eds_{endpoint.eds_health}".lower()
    why = ", ".join(endpoint.failed) or said
    is_path = endpoint.address.startswith(("/", "@"))
    address = f"{SOCKET}{endpoint.address}" if is_path else endpoint.address
    return EndpointHealth(address, endpoint.healthy, why, gateway)


def _merged(answers: Iterable[_Health]) -> _Health:
    merged: dict[str, tuple[EndpointHealth, ...]] = {}
    for health in answers:
        for cluster, endpoints in health.items():
            merged[cluster] = (*merged.get(cluster, ()), *endpoints)
    return merged
