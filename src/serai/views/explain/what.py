"""What a question may mean: a host, ``kind/name[.namespace]``, or just a name."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.fields_check import nearest_name
from serai.api.kinds import KINDS, by_alias
from serai.api.meta import Key
from serai.api.routes import ROUTE_KINDS
from serai.attach.hostnames import covers
from serai.views.explain.explanation import Explained, Explanation
from serai.views.explain.gateway import explain_gateway
from serai.views.explain.route import explain_route
from serai.views.explain.service import explain_service
from serai.views.explain.subject import Subject
from serai.views.explain.workload import explain_namespace, explain_workload
from serai.views.state import State

_MORE_ALIASES = {
    "route": ROUTE_KINDS,
    "routes": ROUTE_KINDS,
    "waypoint": ("Gateway",),
    "waypoints": ("Gateway",),
    "workload": ("Pod", "WorkloadEntry"),
    "workloads": ("Pod", "WorkloadEntry"),
}
_ASKED_FIRST = ("Service", "ServiceEntry", "Gateway", "HTTPRoute", "Pod", "WorkloadEntry")
_EVERY = (*_ASKED_FIRST, *(kind.name for kind in KINDS))


def explain(state: State, what: str, namespace: str = "") -> Explained:
    """Everything that applies to what is asked for.  Says so where there is no such thing.

    `what` is a host, as it is in a URL too; ``kind/name``, ``kind/name.namespace`` or
    ``kind/namespace/name`` with the kind as kubectl takes it; or a name, or ``namespace/name``,
    of any kind.
    """
    subject = Subject(state)
    kinds, name = _asked(what.strip())
    keys = list(dict.fromkeys(_find(state, _EVERY if kinds is None else kinds, name)))
    if kinds is None and not keys:
        word = what.partition("/")[0]
        known = nearest_name(word, tuple(kind.plural for kind in KINDS))
        hint = f"; did you mean {known}?" if known else ""
        return Explained(what, (), f"there is no kind {word!r}{hint}")
    keys = [key for key in keys if namespace in {"", key.namespace, key.name}]
    if keys:
        return Explained(what, tuple(_explain(subject, key) for key in keys))
    return Explained(what, (), _not_found(state, kinds or (), name, namespace))


def _asked(what: str) -> tuple[tuple[str, ...] | None, str]:
    """The kinds that are meant, and the name; no kinds at all stand for every kind and for hosts.

    None where what stands before a slash is no kind: it may be a namespace.
    """
    if "://" in what:
        return (), _host_of(what)
    word, slash, name = what.partition("/")
    if not slash:
        return (), what
    if word.lower() in _MORE_ALIASES:
        return _MORE_ALIASES[word.lower()], name
    kind = by_alias(word)
    if kind is not None:
        return (kind.name,), name
    return (None, what) if "." not in word else ((), word)


def _host_of(url: str) -> str:
    authority = url.partition("://")[2].partition("/")[0].partition("?")[0]
    return authority.rpartition("@")[2]


def _find(state: State, kinds: tuple[str, ...], name: str) -> Iterator[Key]:
    """What goes by a name, the likeliest first."""
    if not kinds:
        host = name.lower().rpartition(":")[0] if _has_port(name) else name.lower()
        yield from _owners(state, host)
        kinds = _EVERY
    rejected = [problem.key for problem in state.problems if problem.key]
    for kind in kinds:
        keys = sorted({*state.pipeline.inputs.table(kind).keys()}.union(rejected))
        yield from (key for key in keys if key.kind == kind and name in _names(key))
        if kind == "Namespace" and any(name == other for other in _namespaces(state)):
            yield Key("Namespace", "", name)


def _has_port(name: str) -> bool:
    return name.rpartition(":")[2].isdecimal() and ":" in name


def _owners(state: State, host: str) -> Iterator[Key]:
    """Whose host it is: who has it by its name, else who has a wildcard that covers it."""
    catalog = state.pipeline.attached.catalog
    exact = list(catalog.services_by_host.row(host) or ())
    if not exact:
        exact = [
            key
            for key, service in catalog.services.items()
            if any(each.startswith("*") and covers(each, host) for each in service.hosts)
        ]
    services = [service for key in exact if (service := catalog.services.row(key))]
    yield from (each.key for each in sorted(services, key=lambda each: each.precedence))


def _names(key: Key) -> tuple[str, ...]:
    return (key.name, f"{key.name}.{key.namespace}", key.namespaced_name)


def _namespaces(state: State) -> set[str]:
    found = {key.namespace for key in state.pipeline.attached.catalog.services.keys()}  # noqa: SIM118
    return found | {key.namespace for key in state.pipeline.attached.proxies.keys()}  # noqa: SIM118


def _explain(subject: Subject, key: Key) -> Explanation:
    catalog, inputs = subject.attached.catalog, subject.pipeline.inputs
    if service := catalog.services.row(key):
        return explain_service(subject, service)
    if workload := catalog.workloads.row(key):
        return explain_workload(subject, workload)
    if proxy := subject.attached.proxies.row(key):
        return explain_gateway(subject, proxy)
    if route := inputs.routes.row(key):
        return explain_route(subject, key, route)
    if key.kind == "Namespace":
        return explain_namespace(subject, key)
    if key.kind == "Gateway" and (gateway := inputs.gateways.row(key)):
        name = gateway.spec.gateway_class_name
        return subject.explanation(key, [f"not ours: its class {name} is another controller's"])
    present = inputs.table(key.kind).row(key) is not None
    headline = [] if present else ["not used: it could not be read"]
    return subject.explanation(key, headline, subject.status_lines(key))


def _not_found(state: State, kinds: tuple[str, ...], name: str, namespace: str) -> str:
    within = f" in namespace {namespace}" if namespace else ""
    what = " or ".join(kinds) if kinds else "host and no object"
    asked = kinds or _ASKED_FIRST
    keys = [key for kind in asked for key in state.pipeline.inputs.table(kind).keys()]  # noqa: SIM118
    near = {
        each: f"{key.kind.lower()}/{key.name}.{key.namespace}"
        for key in keys
        for each in _names(key)
    }
    if not kinds:
        hosts = state.pipeline.attached.catalog.services_by_host.keys()
        near |= {host: host for host in hosts}
    found = nearest_name(name, tuple(sorted(near)))
    hint = f"; did you mean {near[found]}?" if found else ""
    return f"there is no {what} {name!r}{within}{hint}"
