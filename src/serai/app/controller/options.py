"""How `serai controller` runs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from serai.kube.deployment import Deployment
from serai.sources.cluster import Scope


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to run, beyond what the core is told by its Settings."""

    xds: str = "0.0.0.0:18000"
    namespace: str = "serai-system"
    """Where the Lease is."""
    identity: str = "serai"
    """This replica; no two have the same."""
    lease: str = "serai-controller"
    scope: Scope = Scope()
    deployment: Deployment | None = None
    """How Envoys are deployed; None: that is somebody else's business."""
    keys: Path | None = None
    """A folder that keeps the keys of issuers of tokens over restarts; None: they are fetched."""
    xds_host: str = ""
    """By which they find us, such as ``serai.serai-system.svc``; with the port of `xds`."""
    xds_tls: Path | Literal["own", "none"] = "none"
    """With what xDS is served, to Envoys that prove who they are: tls.crt, tls.key and ca.crt of a
    folder, or what we make ourselves; none: as it is, to whoever asks."""
    remote_grace: float = 900.0
    """For how many seconds what another cluster had stays when it cannot be reached."""
    remote_wait: float = 10.0
    """How many seconds the start waits for other clusters at most."""
