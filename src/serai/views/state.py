"""All that views are made of: a pipeline, its problems, and what is known of running Envoys."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from serai.api.kinds import KINDS
from serai.api.meta import Key
from serai.api.problem import Place, Problem
from serai.ir.origin import Value
from serai.ir.viewpoint import Viewpoint
from serai.views.pipeline import Pipeline
from serai.xds.resource import ResourceType


class EndpointHealth(Value, frozen=True):
    """What an Envoy that sends to an endpoint thinks of it."""

    address: str
    """``ip:port``."""
    healthy: bool
    why: str = ""
    """Envoy's own word, such as ``failed_active_health_check``."""
    gateway: str = ""
    """Whose Envoy it is, ``namespace/name``."""


class EnvoyState(Value, frozen=True):
    """An Envoy that is run for a Gateway."""

    gateway: str
    """``namespace/name``."""
    state: str
    """``ready``, or what it is doing instead, such as ``starting`` or ``crash-looping``."""
    pid: int = 0
    admin: str = ""
    """``host:port`` of its admin interface."""
    restarts: int = 0
    access_log: str = ""
    """Path of the file with a line for each request."""


class ClientState(Value, frozen=True):
    """An Envoy that is connected and asks for configuration."""

    node: str
    gateway: str
    """``namespace/name``, as it says itself."""
    agent: str = "envoy"
    """What it says to be, with its version where it tells."""
    protocol: str = "delta"
    """``delta`` or ``sotw``."""
    known: bool = True
    """Whether there is such a Gateway; if not, it gets nothing."""
    acknowledged: tuple[tuple[ResourceType, int], ...] = ()
    """How many resources of each type it has."""
    viewpoint: Viewpoint | None = None
    """Where it is, if not where the settings say."""
    waiting: int = 0
    """How many were sent, or are to be, and are not acknowledged yet."""
    rejected: int = 0
    """How many it refuses."""
    refusals: tuple[tuple[str, str], ...] = ()
    """What it refuses, as far as it is known, with its words."""


class ClusterState(Value, frozen=True):
    """Another Kubernetes cluster that is followed."""

    name: str
    secret: str
    """Which has its kubeconfig, ``namespace/name``."""
    server: str
    """The address of its API server."""
    state: str
    """``connecting``, ``synced``, ``unreachable``, ``lost`` or ``refused``."""
    heard: float
    """When it was last known to answer, in seconds since 1970; 0 if it was never asked."""
    objects: int
    """How many of its objects are read."""
    endpoints: int
    """How many of its endpoints are in force here."""


class Counts(Value, frozen=True):
    """What has happened since the start."""

    commits: int = 0
    pushed: int = 0
    """Resources sent to clients."""
    acknowledged: int = 0
    rejected: int = 0


class Facts(Value, frozen=True):
    """What is known of running Envoys; empty where nothing runs."""

    live: bool = False
    """Whether anything runs at all."""
    envoys: tuple[EnvoyState, ...] = ()
    clients: tuple[ClientState, ...] = ()
    clusters: tuple[ClusterState, ...] = ()
    health: Mapping[str, tuple[EndpointHealth, ...]] = {}
    """By cluster name; empty where nobody has asked."""
    answered: Mapping[str, bool] = {}
    """Whose Envoys were asked for that (``namespace/name``), and whether they answered."""
    counts: Counts = Counts()
    kinds: tuple[tuple[str, bool], ...] = ()
    """In a cluster: of each kind that is read, whether the API server serves it."""


class State(msgspec.Struct, frozen=True):
    """Everything that a view may read."""

    pipeline: Pipeline
    problems: tuple[Problem, ...] = ()
    places: Mapping[Key, Place] = {}
    """Where each object is written, for those read from files."""
    facts: Facts = Facts()

    def objects(self) -> list[tuple[str, int]]:
        """How many objects are in force, by kind."""
        return [(kind.name, len(self.pipeline.inputs.table(kind.name))) for kind in KINDS]
