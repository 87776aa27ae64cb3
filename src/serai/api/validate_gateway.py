"""What the Gateway API's definitions refuse, and filters that are not there yet."""

from __future__ import annotations

import re
from collections.abc import Iterator

from serai.api.faults import HOSTNAME_RULE, clash, port_faults, twice, value_faults, wrong
from serai.api.gateway import (
    GatewayClass,
    HTTPHeaderFilter,
    HTTPPathModifier,
    HTTPRoute,
    HTTPRouteFilter,
    HTTPRouteMatch,
    HTTPRouteRule,
    ParentReference,
)
from serai.api.problem import Problem
from serai.api.syntax import (
    is_duration,
    is_header_name,
    is_hostname,
    is_wildcard_hostname,
)

LONGEST_PATTERN = 1024
LONGEST_VALUE = 4096
MOST_WEIGHT = 1_000_000
METHODS = frozenset("GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH".split())  # noqa: SIM905

FILTERS = {
    "RequestHeaderModifier": "request_header_modifier",
    "ResponseHeaderModifier": "response_header_modifier",
    "RequestRedirect": "request_redirect",
    "URLRewrite": "url_rewrite",
}
"""The filters that HTTPRouteFilter holds, by type."""

_CONTROLLER = re.compile(r"[a-z0-9.-]+/[A-Za-z0-9/\-._~%!$&'()*+,;=:]+")
_PATH_ESCAPES = re.compile(r"//|/\./|/\.\./|/\.{1,2}$|#|%2[fF]")


def check_gateway_class(gateway_class: GatewayClass) -> Iterator[Problem]:
    """GatewayClass.spec.controllerName."""
    name = gateway_class.spec.controller_name
    if not _CONTROLLER.fullmatch(name):
        path = "spec.controllerName"
        yield wrong(path, name, "a domain and a path", "Write it as example.com/name.")


def check_http_route(route: HTTPRoute) -> Iterator[Problem]:
    """Everything of an HTTPRoute that its definition restricts and that reaches Envoy."""
    spec = route.spec
    yield from value_faults(
        "spec.hostnames", spec.hostnames, is_wildcard_hostname, "a host name", HOSTNAME_RULE
    )
    for index, parent in enumerate(spec.parent_refs):
        yield from _parent(f"spec.parentRefs[{index}]", parent)
    for index, rule in enumerate(spec.rules):
        yield from _rule(f"spec.rules[{index}]", rule)
    yield from twice("spec.rules", [rule.name for rule in spec.rules], ".name", "name")


def _parent(path: str, parent: ParentReference) -> Iterator[Problem]:
    yield from port_faults(f"{path}.port", parent.port)
    if not parent.name:
        yield wrong(f"{path}.name", parent.name, "a name", "Name the parent.")


def _rule(path: str, rule: HTTPRouteRule) -> Iterator[Problem]:
    for index, match in enumerate(rule.matches):
        yield from _match(f"{path}.matches[{index}]", match)
    yield from _filters(f"{path}.filters", rule.filters)
    for modifier in _modifiers(rule.filters):
        paths = [match.path.type for match in rule.matches] or ["PathPrefix"]
        if modifier.type == "ReplacePrefixMatch" and set(paths) != {"PathPrefix"}:
            message = f"{path} replaces a matched prefix, but matches by other than PathPrefix"
            yield clash(f"{path}.filters", message, "Match by PathPrefix, or ReplaceFullPath.")
    for index, backend in enumerate(rule.backend_refs):
        here = f"{path}.backendRefs[{index}]"
        yield from port_faults(f"{here}.port", backend.port)
        if not 0 <= backend.weight <= MOST_WEIGHT:
            yield wrong(f"{here}.weight", backend.weight, "a weight", "Use 0 to 1000000.")
        if (backend.group, backend.kind) == ("", "Service") and backend.port is None:
            yield clash(f"{here}.port", f"{here} names a Service without a port", "Add port.")
        yield from _filters(f"{here}.filters", backend.filters)
    yield from _timeouts(path, rule)


def _match(path: str, match: HTTPRouteMatch) -> Iterator[Problem]:
    value, kind = match.path.value, match.path.type
    here = f"{path}.path.value"
    if len(value) > LONGEST_PATTERN:
        yield wrong(here, value, "short enough", f"Use at most {LONGEST_PATTERN} characters.")
    elif kind != "RegularExpression" and not value.startswith("/"):
        yield wrong(here, value, "an absolute path", "Start it with /.")
    elif kind != "RegularExpression" and _PATH_ESCAPES.search(value):
        remedy = "Remove //, /./, /../, # and %2F, which no normalised request has."
        yield wrong(here, value, "a normalised path", remedy)
    for index, header in enumerate(match.headers):
        yield from _header_name(f"{path}.headers[{index}].name", header.name)
        yield from _pattern(f"{path}.headers[{index}].value", header.value, LONGEST_VALUE)
    for index, query in enumerate(match.query_params):
        yield from _header_name(f"{path}.queryParams[{index}].name", query.name)
        yield from _pattern(f"{path}.queryParams[{index}].value", query.value, 1024)
    yield from twice(f"{path}.headers", [one.name for one in match.headers], ".name", "name")
    queries = [one.name for one in match.query_params]
    yield from twice(f"{path}.queryParams", queries, ".name", "name")
    if match.method is not None and match.method not in METHODS:
        remedy = f"Use one of {', '.join(sorted(METHODS))}."
        yield wrong(f"{path}.method", match.method, "a method", remedy)


def _header_name(path: str, name: str) -> Iterator[Problem]:
    if not is_header_name(name):
        yield wrong(path, name, "a name", "Use letters, digits and !#$%&'*+-.^_`|~ only.")


def _pattern(path: str, value: str, most: int) -> Iterator[Problem]:
    if not 1 <= len(value) <= most:
        yield wrong(path, value, "a value to match", f"Use 1 to {most} characters.")


def _filters(path: str, filters: tuple[HTTPRouteFilter, ...]) -> Iterator[Problem]:
    for index, one in enumerate(filters):
        here = f"{path}[{index}]"
        field = FILTERS.get(one.type)
        if field is None:
            message = (
                f"{here}.type {one.type[:80]} is not implemented; the requests it is meant for"
                " are answered with 500, since a filter may not be skipped"
            )
            remedy = f"Remove the filter; there are {', '.join(FILTERS)}."
            yield Problem("SER0007", "warning", message, remedy, path=f"{here}.type")
        elif getattr(one, field) is None:
            name = one.type[0].lower() + one.type[1:] if one.type != "URLRewrite" else "urlRewrite"
            yield clash(here, f"{here} is a {one.type} without {name}", f"Add {name}.")
        for header_filter, name in (
            (one.request_header_modifier, "requestHeaderModifier"),
            (one.response_header_modifier, "responseHeaderModifier"),
        ):
            if header_filter:
                yield from _headers(f"{here}.{name}", header_filter)
        yield from _redirect_or_rewrite(here, one)
    types = {one.type for one in filters}
    if {"RequestRedirect", "URLRewrite"} <= types:
        message = f"{path} holds a RequestRedirect and a URLRewrite"
        yield clash(path, message, "Keep one of the two.")
    kinds = [one.type if one.type in FILTERS else None for one in filters]
    yield from twice(path, kinds, ".type", "type")


def _headers(path: str, headers: HTTPHeaderFilter) -> Iterator[Problem]:
    for field in ("set", "add"):
        entries = getattr(headers, field)
        for index, header in enumerate(entries):
            yield from _header_name(f"{path}.{field}[{index}].name", header.name)
            if len(header.value) > LONGEST_VALUE or any(char in header.value for char in "\r\n\0"):
                here = f"{path}.{field}[{index}].value"
                yield wrong(here, header.value, "a header's value", "Use one line of text.")
        names = [header.name.lower() for header in entries]
        yield from twice(f"{path}.{field}", names, ".name", "name")
    for index, name in enumerate(headers.remove):
        yield from _header_name(f"{path}.remove[{index}]", name)


def _redirect_or_rewrite(path: str, one: HTTPRouteFilter) -> Iterator[Problem]:
    for name, action in (
        ("requestRedirect", one.request_redirect),
        ("urlRewrite", one.url_rewrite),
    ):
        if action is None:
            continue
        if action.hostname and not is_hostname(action.hostname):
            remedy = "Use a host name without a wildcard."
            yield wrong(f"{path}.{name}.hostname", action.hostname, "a host name", remedy)
        if action.path:
            yield from _modifier(f"{path}.{name}.path", action.path)
    if one.request_redirect:
        yield from port_faults(f"{path}.requestRedirect.port", one.request_redirect.port)


def _modifier(path: str, modifier: HTTPPathModifier) -> Iterator[Problem]:
    full, prefix = modifier.replace_full_path, modifier.replace_prefix_match
    wanted, given, other = (
        ("replaceFullPath", full, prefix)
        if modifier.type == "ReplaceFullPath"
        else ("replacePrefixMatch", prefix, full)
    )
    if given is None or other is not None:
        message = f"{path}.type is {modifier.type}, which takes {wanted} and nothing else"
        yield clash(path, message, f"Set {wanted} only.")


def _modifiers(filters: tuple[HTTPRouteFilter, ...]) -> Iterator[HTTPPathModifier]:
    for one in filters:
        for action in (one.request_redirect, one.url_rewrite):
            if action and action.path:
                yield action.path


def _timeouts(path: str, rule: HTTPRouteRule) -> Iterator[Problem]:
    if rule.timeouts is None:
        return
    for name, text in (
        ("request", rule.timeouts.request),
        ("backendRequest", rule.timeouts.backend_request),
    ):
        if text is not None and not is_duration(text):
            here = f"{path}.timeouts.{name}"
            yield wrong(here, text, "a duration", "Write it as 10s, 1m30s or 500ms.")
