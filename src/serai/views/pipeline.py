"""What views read: the collections of a pipeline."""

from __future__ import annotations

from typing import Protocol

from serai.api.meta import Key
from serai.api.problem import Problem
from serai.check.problems import ProblemKey
from serai.incremental import Graph, Node
from serai.model.inputs import Inputs
from serai.model.settings import Settings
from serai.status.values import Status
from serai.translate.collections import Attached
from serai.xds.resource import Resource
from serai.xds.snapshot import SnapshotKey, Translated


class Pipeline(Protocol):
    """Everything between what users write and what Envoys get, after a commit."""

    @property
    def graph(self) -> Graph:
        """All collections, and the rows whose function failed."""

    @property
    def settings(self) -> Settings:
        """What the operator decided."""

    @property
    def inputs(self) -> Inputs:
        """What users wrote."""

    @property
    def attached(self) -> Attached:
        """Who applies to what."""

    @property
    def translated(self) -> Translated:
        """What each proxy should do."""

    @property
    def snapshot(self) -> Node[SnapshotKey, Resource]:
        """What each proxy gets."""

    @property
    def statuses(self) -> Node[Key, Status]:
        """What is said back on each object."""

    @property
    def problems(self) -> Node[ProblemKey, Problem]:
        """What a person must know."""
