"""The table of everything that can be listed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from serai.api.fields_check import nearest_name
from serai.api.routes import ROUTE_KINDS
from serai.views.backends import BackendRow, backend_rows
from serai.views.clients import IN_STEP, TYPES, ClientRow, client_rows
from serai.views.clusters import SYNCED, ClusterRow, cluster_rows
from serai.views.endpoints import EndpointRow, endpoint_rows, opinions_in_words
from serai.views.gateways import GatewayRow, gateway_rows
from serai.views.health import Endpoints
from serai.views.listing import Column, Listing, Tone
from serai.views.policies import PolicyRow, policy_rows
from serai.views.preferences import preferences_in_words
from serai.views.problems import ProblemRow, problem_rows
from serai.views.routes import NOT_OURS, RouteRow, route_rows
from serai.views.services import ServiceRow, service_rows
from serai.views.state import State


def _first(texts: Iterable[Any]) -> str:
    """The first of several, and how many more there are."""
    listed = [str(text) for text in texts]
    more = f" +{len(listed) - 1} more" if len(listed) > 1 else ""
    return f"{listed[0]}{more}" if listed else ""


def _all(texts: Iterable[Any]) -> str:
    return ",".join(str(text) for text in texts)


def _spoken(texts: Iterable[str]) -> str:
    return ", ".join(texts)


def _yes(value: bool | None) -> str:  # noqa: FBT001  what it shows
    return "-" if value is None else str(value)


def _usable(endpoints: Endpoints) -> Tone:
    if endpoints.ready is None:
        return ""
    return "bad" if not endpoints.ready else "good" if endpoints.ready == endpoints.total else ""


def _good(*, good: bool | None) -> Tone:
    return "" if good is None else "good" if good else "bad"


def _held(short: str) -> Column:
    return Column(short, lambda row: str(row.acknowledged[short]), number=True)


def _is_of(row: Any, *, kind: str) -> bool:
    return bool(row.kind == kind)


def _problems(state: State) -> list[ProblemRow]:
    return problem_rows(state.problems)


def _object(row: Any) -> tuple[str, ...]:
    return (f"{row.name}.{row.namespace}", row.name, f"{row.namespace}/{row.name}")


SERVICES = Listing(
    name="services",
    kind="Service",
    row=ServiceRow,
    rows=service_rows,
    names=lambda row: (*_object(row), *row.hosts),
    aliases=("service", "svc"),
    asks_envoys=True,
    nothing="no services: there is no Service and no ServiceEntry",
    columns=(
        Column("NAMESPACE", lambda row: row.namespace),
        Column("NAME", lambda row: row.name),
        Column("KIND", lambda row: row.kind),
        Column("HOSTS", lambda row: _first(row.hosts)),
        Column("PORTS", lambda row: _all(row.ports)),
        Column("WAYPOINT", lambda row: row.waypoint),
        Column(
            "ENDPOINTS",
            lambda row: str(row.endpoints),
            tone=lambda row: _usable(row.endpoints),
        ),
        Column("FROM", lambda row: _spoken(row.endpoint_sources)),
        Column("ADDRESSES", lambda row: _all(row.addresses), wide=True),
        Column("RESOLUTION", lambda row: row.resolution, wide=True),
        Column("CAPTURE", lambda row: row.capture, wide=True),
        Column("ALL-HOSTS", lambda row: _all(row.hosts), wide=True),
    ),
)

GATEWAYS = Listing(
    name="gateways",
    kind="Gateway",
    row=GatewayRow,
    rows=gateway_rows,
    names=_object,
    aliases=("gateway", "gtw", "gw"),
    nothing="no gateways: there is no Gateway of a class of ours",
    columns=(
        Column("GATEWAY", lambda row: row.name_in_scope),
        Column("CLASS", lambda row: row.class_name),
        Column("ADDRESS", lambda row: _all(row.addresses)),
        Column(
            "SERVICES", lambda row: "-" if row.services is None else str(row.services), number=True
        ),
        Column("ROUTES", lambda row: str(row.routes), number=True),
        Column(
            "STATUS",
            lambda row: row.status,
            tone=lambda row: _good(good=row.status == "Programmed"),
        ),
        Column("ROLE", lambda row: row.role, wide=True),
        Column("ADMIN", lambda row: row.admin, wide=True),
        Column("MESSAGE", lambda row: row.message, wide=True),
    ),
)

ROUTES = Listing(
    name="routes",
    kind="Route",
    row=RouteRow,
    rows=route_rows,
    names=_object,
    aliases=("route",),
    nothing="no routes: there is no route of any kind",
    columns=(
        Column("NAMESPACE", lambda row: row.namespace),
        Column("NAME", lambda row: row.name),
        Column("KIND", lambda row: row.kind),
        Column("PARENT", lambda row: row.parent),
        Column(
            "ACCEPTED",
            lambda row: _yes(row.accepted),
            tone=lambda row: _good(good=row.accepted),
        ),
        Column(
            "RESOLVED",
            lambda row: _yes(row.resolved),
            tone=lambda row: _good(good=row.resolved),
        ),
        Column(
            "ATTACHED-TO",
            lambda row: _spoken(row.attached_to) or ("-" if row.reason == NOT_OURS else row.reason),
        ),
        Column("HOSTNAMES", lambda row: _all(row.hostnames), wide=True),
        Column("MESSAGE", lambda row: row.message, wide=True),
    ),
)

BACKENDS = Listing(
    name="backends",
    kind="Backend",
    row=BackendRow,
    rows=backend_rows,
    names=lambda row: (row.cluster, row.service, row.host),
    aliases=("backend",),
    asks_envoys=True,
    nothing="no backends: there is no Service and no ServiceEntry",
    columns=(
        Column("CLUSTER", lambda row: row.cluster),
        Column("SERVICE", lambda row: row.service.replace("/", " ", 1)),
        Column("PROTOCOL", lambda row: row.protocol),
        Column("DISCOVERY", lambda row: row.discovery),
        Column(
            "ENDPOINTS",
            lambda row: str(row.endpoints),
            tone=lambda row: _usable(row.endpoints),
        ),
        Column("USED-BY", lambda row: _all(row.used_by)),
        Column("HOST", lambda row: row.host, wide=True),
        Column("PORT", lambda row: str(row.port), wide=True, number=True),
    ),
)

ENDPOINTS = Listing(
    name="endpoints",
    kind="Endpoint",
    row=EndpointRow,
    rows=endpoint_rows,
    names=lambda row: (row.address, row.backend, row.service),
    aliases=("endpoint", "ep"),
    asks_envoys=True,
    nothing="no endpoints: there is no backend that has one",
    columns=(
        Column("ADDRESS", lambda row: row.address),
        Column("BACKEND", lambda row: row.backend),
        Column("SOURCE", lambda row: row.source),
        Column("LOCALITY", lambda row: row.locality),
        Column("PRIORITY", lambda row: preferences_in_words(row.priorities)),
        Column("WEIGHT", lambda row: str(row.weight), number=True),
        Column("HEALTH", lambda row: row.health or "-"),
        Column("STATUS", lambda row: row.status, tone=lambda row: _good(good=row.ready)),
        Column("ENVOYS", lambda row: opinions_in_words(row.envoys)),
        Column("SERVICE", lambda row: row.service.replace("/", " ", 1), wide=True),
        Column("CLUSTER", lambda row: row.cluster, wide=True),
        Column("NETWORK", lambda row: row.network, wide=True),
        Column("IDENTITY", lambda row: row.identity, wide=True),
    ),
)

POLICIES = Listing(
    name="policies",
    kind="Policy",
    row=PolicyRow,
    rows=policy_rows,
    names=_object,
    aliases=("policy",),
    nothing="no policies: there is no object of a policy's kind",
    columns=(
        Column("NAMESPACE", lambda row: row.namespace),
        Column("NAME", lambda row: row.name),
        Column("KIND", lambda row: row.kind),
        Column("TARGETS", lambda row: _spoken(row.targets)),
    ),
)

CLIENTS = Listing(
    name="clients",
    kind="Client",
    row=ClientRow,
    rows=client_rows,
    names=lambda row: (row.node, row.gateway),
    aliases=("client", "proxies"),
    nothing="no clients: no Envoy is connected",
    columns=(
        Column("CLIENT", lambda row: row.node),
        Column("GATEWAY", lambda row: row.gateway),
        Column("AGENT", lambda row: row.agent),
        *(_held(short) for short in TYPES.values()),
        Column("WAITING", lambda row: str(row.waiting), number=True),
        Column("STATE", lambda row: row.state, tone=lambda row: _good(good=row.state == IN_STEP)),
        Column("LOCALITY", lambda row: row.locality, wide=True),
        Column("NETWORK", lambda row: row.network, wide=True),
        Column("RUNS-ON", lambda row: row.runs_on, wide=True),
        Column("PROTOCOL", lambda row: row.protocol, wide=True),
        Column("REFUSALS", lambda row: _spoken(row.refusals), wide=True),
    ),
)

CLUSTERS = Listing(
    name="clusters",
    kind="Cluster",
    row=ClusterRow,
    rows=cluster_rows,
    names=lambda row: (row.name, row.secret),
    aliases=("cluster", "remotes"),
    nothing="no clusters: no Secret names another one",
    columns=(
        Column("CLUSTER", lambda row: row.name),
        Column("SECRET", lambda row: row.secret),
        Column("STATE", lambda row: row.state, tone=lambda row: _good(good=row.state == SYNCED)),
        Column("LAST-HEARD", lambda row: row.last_heard or "-"),
        Column("OBJECTS", lambda row: str(row.objects), number=True),
        Column("ENDPOINTS", lambda row: str(row.endpoints), number=True),
        Column("SERVER", lambda row: row.server, wide=True),
    ),
)

PROBLEMS = Listing(
    name="problems",
    kind="Problem",
    row=ProblemRow,
    rows=_problems,
    names=lambda row: (row.object, row.code),
    aliases=("problem",),
    nothing="no problems",
    columns=(
        Column("WHERE", lambda row: row.where),
        Column(
            "SEVERITY",
            lambda row: row.severity,
            tone=lambda row: "bad" if row.severity == "error" else "warning",
        ),
        Column("CODE", lambda row: row.code),
        Column("OBJECT", lambda row: row.object.replace("/", " ", 1)),
        Column("MESSAGE", lambda row: row.message),
        Column("FIELD", lambda row: row.field, wide=True),
        Column("REMEDY", lambda row: row.remedy, wide=True),
    ),
)

LISTINGS: tuple[Listing, ...] = (
    SERVICES,
    GATEWAYS,
    ROUTES,
    BACKENDS,
    ENDPOINTS,
    POLICIES,
    CLIENTS,
    CLUSTERS,
    PROBLEMS,
)

NARROWER: dict[tuple[str, ...], tuple[Listing, Callable[[Any], bool]]] = {
    ("serviceentries", "serviceentry", "se"): (SERVICES, lambda row: row.kind == "ServiceEntry"),
    ("waypoints", "waypoint"): (GATEWAYS, lambda row: row.role == "waypoint"),
    **{
        (f"{kind.lower()}s", kind.lower()): (ROUTES, partial(_is_of, kind=kind))
        for kind in ROUTE_KINDS
    },
}
"""Words for some of the rows of a listing."""

_BY_WORD: dict[str, tuple[Listing, Callable[[Any], bool]]] = {
    **{word: (each, lambda _: True) for each in LISTINGS for word in (each.name, *each.aliases)},
    **{word: narrower for words, narrower in NARROWER.items() for word in words},
}


def by_word(word: str) -> tuple[Listing, Callable[[Any], bool]] | None:
    """The listing that a person means by its name, singular, or kubectl's abbreviation.

    With it comes which of its rows are meant.
    """
    return _BY_WORD.get(word.lower())


def nearest_word(word: str) -> str:
    """The name nearest to one that is none; empty if none is near."""
    return nearest_name(word.lower(), tuple(_BY_WORD))
