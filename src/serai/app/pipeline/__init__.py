"""The whole program's data flow: attach, translate, encode; and what is said back."""

from __future__ import annotations

import msgspec

from serai.api.meta import Key
from serai.api.problem import Problem
from serai.app.pipeline.attach import attach
from serai.app.pipeline.said import problems, statuses
from serai.app.pipeline.translate import translate
from serai.check.networks import beyond_problems
from serai.check.problems import ProblemKey
from serai.check.rate_limits import limit_problems
from serai.check.tokens import unguarded_problems
from serai.incremental import Graph, Node, Table, Union
from serai.model.inputs import Inputs
from serai.model.rate_limits import Limits, limits
from serai.model.settings import Settings
from serai.status.values import Status
from serai.translate.collections import Attached
from serai.xds.refusals import Refusal, Refusals
from serai.xds.resource import Resource
from serai.xds.snapshot import SnapshotKey, Translated, snapshot


class Pipeline(msgspec.Struct, frozen=True):
    """Everything between what users write and what Envoys get."""

    graph: Graph
    settings: Settings
    inputs: Inputs
    refusals: Table[SnapshotKey, Refusal]
    attached: Attached
    translated: Translated
    snapshot: Node[SnapshotKey, Resource]
    rate_limits: Node[Key, Limits]
    """What ConfigMaps have for our own rate limit service."""
    statuses: Node[Key, Status]
    problems: Node[ProblemKey, Problem]


def pipeline(settings: Settings) -> Pipeline:
    """Every collection of the control plane, in the order in which data flows."""
    graph = Graph()
    inputs = Inputs(graph)
    refusals: Table[SnapshotKey, Refusal] = Table(graph, "refusals")
    attached = attach(graph, inputs, settings)
    translated = translate(graph, inputs, attached)
    limited = limits(graph, inputs.config_maps)
    return Pipeline(
        graph=graph,
        settings=settings,
        inputs=inputs,
        refusals=refusals,
        attached=attached,
        translated=translated,
        snapshot=snapshot(graph, translated, settings),
        rate_limits=limited,
        statuses=statuses(graph, inputs, attached, translated.applied, Refusals(graph, refusals)),
        problems=Union(
            graph,
            "problems",
            (
                problems(graph, inputs, attached, translated.applied, refusals),
                limit_problems(graph, limited, attached.policies.compiled),
                beyond_problems(graph, translated.endpoints, translated.chosen, translated.users),
                unguarded_problems(graph, translated.routed.parts),
            ),
        ),
    )
