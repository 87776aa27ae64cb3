"""Everything that serves a folder, put together; nothing is started yet."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from serai.api.problem import Problem
from serai.app.core import Core
from serai.app.identities import own_identities
from serai.app.ports import is_bindable
from serai.app.standalone import Options, Standalone
from serai.envoy.binary import find_envoy
from serai.envoy.fleet import Fleet
from serai.envoy.state import Instance, claim
from serai.model.settings import Settings
from serai.server.ads import AdsServer
from serai.sources.folder import FolderSource


def standalone(
    paths: Sequence[Path], settings: Settings, options: Options, root: Path
) -> tuple[Standalone | None, tuple[Problem, ...]]:
    """Compose everything, with state below `root`; nothing is started yet.

    None comes with at least one error, such as that another process serves these paths.
    """
    binary, problems = (None, ()) if options.no_envoy else find_envoy(options.envoy_path)
    if binary is None and not options.no_envoy:
        return None, problems
    instance = claim(root, paths)
    if isinstance(instance, Problem):
        return None, (*problems, instance)
    fleet = Fleet(binary, instance, bind_life=options.bind_life) if binary else None
    source, server = FolderSource(paths), AdsServer()
    identities, settings = own_identities(instance.folder / "identity", settings)
    core = Core(_guarded(settings, instance, options), is_bindable, time.time)
    return Standalone(source, core, server, fleet, instance, options, identities), problems


def _guarded(settings: Settings, instance: Instance, options: Options) -> Settings:
    """The same, with the places of ours that no object may lead to, and our own service's."""
    xds = options.xds.rpartition(":")[2]
    ports = (*settings.own_ports, *((int(xds),) if xds.isdecimal() else ()))
    sockets = (instance.xds_socket, instance.rate_limits_socket)
    paths = (str(instance.folder), *map(str, sockets))
    limits = settings.rate_limit_service or f"unix://{instance.rate_limits_socket}"
    return msgspec.structs.replace(
        settings, own_ports=ports, own_paths=paths, rate_limit_service=limits
    )
