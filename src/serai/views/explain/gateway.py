"""A Gateway explained: its listeners, its routes in match order, what a waypoint has captured."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.meta import Key
from serai.attach.gateways import Proxy, Role
from serai.attach.listeners import ListenerKey
from serai.attach.verdict import Verdict
from serai.ir.route import RouteConfiguration, VirtualHost
from serai.translate import names
from serai.translate.collections import Named
from serai.views.explain import words
from serai.views.explain.explanation import Explanation, Line
from serai.views.explain.policies import policy_line
from serai.views.explain.subject import Subject
from serai.views.gateways import gateway_rows
from serai.views.routes import parent_name


def explain_gateway(subject: Subject, proxy: Proxy) -> Explanation:
    """Everything that applies to a Gateway or a waypoint."""
    row = next(each for each in gateway_rows(subject.state) if each.name_in_scope == proxy.name)
    headline = [
        f"class {proxy.class_name}",
        f"listens on {' '.join(row.addresses) or 'nothing'}",
        row.status,
    ]
    lines = [Line("status", row.message)] if row.message else []
    lines += _listeners(subject, proxy)
    if proxy.role is Role.WAYPOINT:
        lines += _captured(subject, proxy.key)
        lines += _on_all(subject, proxy.key)
    else:
        lines += _ports(subject, proxy)
    lines += _refused(subject, proxy.key)
    lines.append(policy_line(subject.attached, proxy.key))
    return subject.explanation(proxy.key, headline, lines)


def _listeners(subject: Subject, proxy: Proxy) -> Iterator[Line]:
    for listener in proxy.listeners:
        state = subject.attached.listeners.row(ListenerKey(proxy.key, listener.name))
        shown = f"{listener.name}   port {listener.port}/{listener.protocol}"
        shown += f"   hostname {listener.hostname}" if listener.hostname else ""
        shown += f"   routes from {_admits(listener.allowed_routes.namespaces.from_)}"
        wrong = _wrong(state.accepted, state.resolved) if state else ()
        yield Line("listener", shown, wrong)


def _admits(rule: str) -> str:
    return {"All": "all namespaces", "Same": "its own namespace", "None": "nowhere"}.get(
        rule, "namespaces that its selector picks"
    )


def _wrong(*verdicts: Verdict) -> tuple[str, ...]:
    return tuple(f"{each.reason}: {each.message}" for each in verdicts if not each.ok)


def _ports(subject: Subject, proxy: Proxy) -> Iterator[Line]:
    for port in sorted({listener.port for listener in proxy.listeners}):
        name = names.gateway_routes(proxy.key, port)
        configuration = subject.pipeline.translated.routes.row(Named(proxy.key, name))
        if configuration is None:
            continue
        listed = words.in_match_order(_hosts(subject, proxy, configuration))
        first, *more = listed or ["no route is attached: every request is answered 404"]
        yield Line(f"port {port}", first, tuple(more))


def _hosts(subject: Subject, proxy: Proxy, routes: RouteConfiguration) -> tuple[VirtualHost, ...]:
    """Those of a route configuration, and of its parts, of which each has all wildcards."""
    named = (Named(proxy.key, each) for each in routes.parts)
    parts = (subject.pipeline.translated.routes.row(each) for each in named)
    found = (each for each in (routes, *parts) if each is not None)
    return tuple({host.name: host for each in found for host in each.virtual_hosts}.values())


def _captured(subject: Subject, waypoint: Key) -> Iterator[Line]:
    captures = sorted(subject.attached.captures.items())
    found = [capture for _, capture in captures if capture.bound_to == waypoint]
    for capture in found:
        yield Line("captures", f"{capture.service}   because {capture.because}")
    if not found:
        yield Line("captures", "nothing: no Service and no ServiceEntry asks for it by a label")
    for _, capture in captures:
        if capture.waypoint == waypoint and capture.bound_to is None:
            yield Line("not captured", f"{capture.service}: {capture.verdict.message}")


def _on_all(subject: Subject, waypoint: Key) -> Iterator[Line]:
    for key in subject.attached.on_waypoint.row(waypoint) or ():
        route = key.route.namespaced_name
        yield Line("routes", f"route {route}, for everything that it captures")


def _refused(subject: Subject, gateway: Key) -> Iterator[Line]:
    for key, attachment in sorted(subject.attached.attachments.items()):
        parent = attachment.parent
        named = Key(parent.kind, parent.namespace or key.route.namespace, parent.name)
        if named == gateway and not attachment.verdict.ok:
            shown = f"route {key.route.namespaced_name}"
            said = parent_name(parent, key.route.namespace)
            yield Line("not attached", f"{shown} ({said}): {attachment.verdict.message}")
