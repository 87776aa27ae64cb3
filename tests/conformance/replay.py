"""One test of the suite, step by step, against Serai standalone and real Envoys."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from conformance.backends import Backends
from conformance.clients import Socket
from conformance.data import Case, manifests
from conformance.edits import Edits
from conformance.patience import IN_CLUSTER, PATIENCE, eventually
from conformance.sender import Sender
from conformance.statuses import Lookup, Statuses
from conformance.traffic import Traffic
from conformance.world import MESH, WAYPOINT, Folder, Network, World
from serai.api.meta import Key
from serai.app.compose import standalone
from serai.app.standalone import Options, Standalone
from serai.model.settings import Settings
from serai.status.values import written


class Replay:
    """A test under way.  Whatever is wrong is an AssertionError that says at which step."""

    def __init__(
        self,
        case: Case,
        world: World,
        status: Lookup,
        backends: Backends,
        ztunnel: Socket | None = None,
    ) -> None:
        """`ztunnel` is of a cluster, whose API server says what is the younger."""
        self._case = case
        self._world = world
        self._in_cluster = ztunnel is not None
        self._patience = IN_CLUSTER if self._in_cluster else PATIENCE
        self._traffic = Traffic(Sender(world, status, ztunnel), backends, self._patience)
        self._statuses = Statuses(world, status)
        self._edits = Edits(case, world)

    async def follow(self) -> None:
        """Do all that the test does, in its order."""
        runs = {
            each["feature"]: each["bodyRunsWhenSupported"] for each in self._case["conditional"]
        }
        if any(runs.values()):
            # The body is for implementations without a feature that ours has: it must not hold.
            await self._check_claim()
            return
        for step in self._case["order"]:
            what, _, number = step.partition(":")
            match what:
                case "status":
                    await self._check_status(int(number))
                case "case":
                    await self._traffic.check(self._case["cases"][int(number)])
                case "mutation":
                    self._edits.make(int(number))
                case "assert":
                    await self._check_generations()
                case "sleep 1s" if self._in_cluster:
                    await asyncio.sleep(1)
                case "mirror" | "sleep 1s":
                    pass  # every request is logged from the start; times of creation are set
                case _:
                    raise NotImplementedError(step)

    async def _check_claim(self) -> None:
        for check in self._case["statuses"]:
            holds = await eventually(partial(self._as_without, check))
            assert not holds, f"{check['check']}: {holds}"

    def _as_without(self, check: dict[str, Any]) -> list[str]:
        return [] if self._statuses.check(check) else ["it holds, as without the feature"]

    async def _check_status(self, number: int) -> None:
        check = self._case["statuses"][number]
        wrong = await eventually(lambda: self._statuses.check(check), self._patience)
        assert not wrong, f"status:{number} {check['check']}: {wrong}"

    async def _check_generations(self) -> None:
        """What upstream asserts after an edit: its generation is another, and was seen."""
        checks = [
            {"check": "GatewayMustHaveLatestConditions", "gateway": each}
            for each in self._case["gateways"]
        ]
        checks += [
            {"check": "HTTPRouteMustHaveLatestConditions", "route": each}
            for each in self._case["routes"]
            if ("HTTPRoute", each["namespace"], each["name"]) in self._world.objects
        ]
        for check in checks:
            wrong = await eventually(partial(self._statuses.check, check), self._patience)
            assert not wrong, wrong


@contextlib.asynccontextmanager
async def replaying(
    case: Case, network: Network, backends: Backends, folder: Path
) -> AsyncIterator[Replay]:
    """Serai and Envoys for a test's objects, and for nothing else."""
    files = folder / "manifests"
    files.mkdir()
    world = World(manifests(case), network, Folder(files))
    backends.ensure(world)
    addresses = world.addresses()
    asked = {
        each["gateway"]["namespace"] + "/" + each["gateway"]["name"] for each in _targets(case)
    }
    if case["baseManifests"].startswith("mesh"):
        asked.add(f"{MESH}/{WAYPOINT}")
    options = Options(bind_life=True, drain_seconds=1, only=frozenset(asked), no_envoy=not asked)
    serai, problems = standalone([files], Settings(vip_range_v4="none"), options, folder / "state")
    assert serai is not None, problems
    # Where they listened in the run before, as far as Serai knows: each on an address of its own.
    (serai.instance.folder / "addresses").write_bytes(msgspec.json.encode(addresses))
    try:
        await serai.start()
        following = asyncio.create_task(serai.follow())
        if serai.fleet is not None:
            with contextlib.suppress(TimeoutError):  # what is not ready fails at its step
                async with asyncio.timeout(PATIENCE):
                    await serai.fleet.wait_ready()
        try:
            yield Replay(case, world, _lookup(serai), backends)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
    finally:
        await serai.stop(drain=False)


def _lookup(serai: Standalone) -> Lookup:
    def status(kind: str, namespace: str, name: str) -> dict[str, Any]:
        found = serai.core.pipeline.statuses.row(Key(kind, namespace, name))
        return written(found) if found is not None else {}

    return status


def _targets(case: Case) -> list[dict[str, Any]]:
    found = [each.get("each", each) for each in case["cases"]]
    return [each["target"] for each in found if "target" in each]
