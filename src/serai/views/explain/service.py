"""A service explained: who captures it and why, its routes in match order, its backends."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.gateway import ParentReference
from serai.api.meta import Key
from serai.attach.capture import Capture
from serai.attach.frontends import BindingKey, FrontendKey
from serai.model.service import Backend, BackendKey, Service, ServicePort
from serai.translate import names
from serai.translate.collections import Named
from serai.views.explain import words
from serai.views.explain.explanation import Explanation, Line
from serai.views.explain.policies import policy_line
from serai.views.explain.subject import Subject
from serai.views.health import count, silent
from serai.views.problems import counted
from serai.views.routes import parent_name
from serai.views.services import port_row, resolution_name, waypoint_of


def explain_service(subject: Subject, service: Service) -> Explanation:
    """Everything that applies to a Service or a ServiceEntry."""
    capture = subject.attached.captures.row(service.key)
    headline = [f"hosts {' '.join(service.hosts)}"]
    ports = " ".join(str(port_row(port)) for port in service.ports)
    headline += [f"ports {ports or 'none'}", f"resolution {resolution_name(service.resolution)}"]
    addresses = " ".join(dict.fromkeys(each.cidr for each in service.addresses))
    lines = [Line("addresses", addresses or "none"), _captured(capture)]
    for port in service.ports:
        lines += _port(subject, service, port, capture)
    lines += _refused(subject, service)
    for host in service.hosts:
        for port in service.ports:
            lines += _backend(subject, service.backend(host, port))
    waypoint = capture.bound_to if capture else None
    places = (service.key, waypoint) if waypoint else (service.key,)
    return subject.explanation(
        service.key, headline, [*lines, policy_line(subject.attached, *places)]
    )


def _captured(capture: Capture | None) -> Line:
    if capture is None or not capture.verdict.ok:
        why = capture.verdict.message if capture else "no label asks for a waypoint"
        because = (f"because {capture.because}",) if capture and capture.because not in why else ()
        return Line("not captured", why, because)
    return Line("captured by", f"{waypoint_of(capture)}   because {capture.because}")


def _port(
    subject: Subject, service: Service, port: ServicePort, capture: Capture | None
) -> Iterator[Line]:
    waypoint = capture.bound_to if capture else None
    if waypoint is None:
        return
    label = f"port {port.number}"
    fronts = [
        key
        for host in ("", *service.hosts)
        for ways in ((), (True,), (True, True))
        if subject.attached.frontends.row(
            key := FrontendKey(waypoint, service.key, port.number, host, *ways)
        )
    ]
    if not fronts:
        yield Line(label, "no client can reach it by an address, or it is UDP")
    for key in fronts:
        found = _routes(subject, key, port)
        taken = _taken(subject, key)
        yield Line(label, found[0], (*found[1:], *taken))


def _routes(subject: Subject, key: FrontendKey, port: ServicePort) -> list[str]:
    translated = subject.pipeline.translated
    if port.protocol.may_be_http:
        configuration = translated.routes.row(Named(key.waypoint, names.frontend(key, http=True)))
        listed = words.in_match_order(configuration.virtual_hosts) if configuration else []
        inside = translated.listeners.row(Named(key.waypoint, names.undeclared(key)))
        rest = words.handling(inside.default) if inside and inside.default else ""
        return [*(listed or ["no route"]), *([f"what is not HTTP: {rest}"] if rest else [])]
    chain = translated.chains.row(Named(key.waypoint, names.frontend(key, http=False)))
    return [words.handling(chain.handling) if chain else "no filter chain"]


def _taken(subject: Subject, key: FrontendKey) -> Iterator[str]:
    """Its addresses that belong to another service."""
    frontend = subject.attached.frontends.row(key)
    for cidr in frontend.addresses if frontend else ():
        binding = subject.attached.bindings.row(BindingKey(key.waypoint, cidr, key.port))
        if binding and binding.frontend != key:
            yield f"but {cidr}:{key.port} belongs to {binding.frontend.service}"


def _refused(subject: Subject, service: Service) -> Iterator[Line]:
    """Routes that name this service as their parent and were not taken."""
    for key, attachment in sorted(subject.attached.attachments.items()):
        refers = _names(attachment.parent, key.route, service)
        if refers and not attachment.verdict.ok:
            route = f"route {key.route.namespaced_name}"
            parent = parent_name(attachment.parent, key.route.namespace)
            yield Line("not attached", f"{route} ({parent}): {attachment.verdict.message}")


def _names(parent: ParentReference, route: Key, service: Service) -> bool:
    if parent.kind == "Hostname":
        return parent.name.lower() in {*service.hosts, *service.aliases}
    own = Key(parent.kind, parent.namespace or route.namespace, parent.name)
    return own == service.key


def _backend(subject: Subject, key: BackendKey) -> Iterator[Line]:
    backend = subject.attached.catalog.backends.row(key)
    if backend is None:
        return
    cluster = subject.attached.cluster_names.row(key)
    if cluster is None:
        yield Line("backend", f"port {key.port}: cannot be sent to, by its resolution")
        return
    yield Line("backend", f"{cluster}   {_endpoints(subject, backend)}")


def _endpoints(subject: Subject, backend: Backend) -> str:
    found = count(subject.state, backend, subject.members.of(backend))
    if found.ready is None:
        said = "its endpoints are found by Envoy, which resolves the name"
    else:
        said = f"{counted(found.total or 0, 'endpoint')}, {found.ready} healthy"
    unheard = silent(subject.state, backend)
    return f"{said}; the Envoy of {' and '.join(unheard)} does not answer" if unheard else said
