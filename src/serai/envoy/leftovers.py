"""Envoys whose `serai run` is gone: found again, and ended by `serai stop`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from serai.api.problem import Problem
from serai.envoy.companion import end_companions
from serai.envoy.pid import Pid, processes
from serai.envoy.process import EnvoyProcess, is_alive
from serai.envoy.state import EnvoyRecord, Instance, claim_folder, instance_folders

DRAIN_SECONDS = 15.0
_BOOTSTRAP = ".bootstrap.json"


class EndedEnvoy(msgspec.Struct, frozen=True):
    """An Envoy that was left over and is no more."""

    gateway: str
    """``namespace/name``; empty if its record was lost."""
    pid: int


class Leftovers(msgspec.Struct, frozen=True):
    """What `stop_leftovers` did, and did not do."""

    ended: tuple[EndedEnvoy, ...]
    problems: tuple[Problem, ...]
    """One for each instance that was left alone, as its owner lives or its folder can't be used."""


def running_envoys(instance: Instance) -> tuple[EnvoyRecord, ...]:
    """Every Envoy of an instance that runs, even where its record was never written or is broken.

    Forgets the records of those that don't.  Reads the process table: call it in a thread.
    """
    alive = []
    for record in instance.records():
        if is_alive(instance, record):
            alive.append(record)
        else:
            instance.forget(record.token)
    known = {record.pid for record in alive}
    strays = (_stray(instance.folder, pid, command) for pid, command in processes())
    alive += [record for record in strays if record is not None and record.pid not in known]
    return tuple(alive)


async def stop_leftovers(
    root: Path, only: str | None = None, *, drain_seconds: float | None = DRAIN_SECONDS
) -> Leftovers:
    """End the Envoys of all instances under `root` whose owner is dead.

    `only` is the state.instance_name of the one to look at.  None as `drain_seconds`: at once.
    """
    folders = instance_folders(root)
    chosen = [folder for folder in folders if only is None or folder.name == only]
    results = await asyncio.gather(*(_stop(folder, drain_seconds) for folder in chosen))
    return Leftovers(
        tuple(ended for result in results for ended in result.ended),
        tuple(problem for result in results for problem in result.problems),
    )


async def _stop(folder: Path, drain_seconds: float | None) -> Leftovers:
    instance = claim_folder(folder)
    if isinstance(instance, Problem):
        return Leftovers((), (instance,))
    try:
        found = await asyncio.to_thread(running_envoys, instance)
        await asyncio.gather(
            *(EnvoyProcess(instance, record).stop(drain_seconds) for record in found)
        )
        await end_companions(instance)
    finally:
        instance.release()
    ended = (EndedEnvoy(record.gateway, record.pid.number) for record in found)
    return Leftovers(tuple(ended), ())


def _stray(folder: Path, pid: Pid, command: tuple[str, ...]) -> EnvoyRecord | None:
    """A record made up from an Envoy's command line, if it has a bootstrap of this folder."""
    try:
        bootstrap = Path(command[command.index("--config-path") + 1])
    except (ValueError, IndexError):
        return None
    if bootstrap.parent != folder or not bootstrap.name.endswith(_BOOTSTRAP):
        return None
    token = bootstrap.name.removesuffix(_BOOTSTRAP)
    return EnvoyRecord(token=token, gateway="", pid=pid, command=command, digest="", log="")
