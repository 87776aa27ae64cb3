"""What the Gateway API's definitions of routes refuse."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from serai.api.bounds import UINT32
from serai.api.faults import HOSTNAME_RULE, clash, port_faults, twice, value_faults, wrong
from serai.api.gateway import ParentReference
from serai.api.grpcroute import GRPCRoute, GRPCRouteMatch
from serai.api.httproute import (
    HTTPBackendRef,
    HTTPRoute,
    HTTPRouteMatch,
    HTTPRouteRetry,
    HTTPRouteRule,
    HTTPValueMatch,
    SessionPersistence,
)
from serai.api.problem import Problem
from serai.api.streamroutes import BackendRef, TCPRoute, TLSRoute, UDPRoute
from serai.api.syntax import is_duration, is_wildcard_hostname
from serai.api.validate_filters import (
    GRPC_FILTERS,
    HTTP_FILTERS,
    LONGEST_VALUE,
    OF_RULES,
    check_filters,
    header_name_faults,
    path_modifiers,
)

LONGEST_PATTERN = 1024
MOST_WEIGHT = 1_000_000
METHODS = frozenset("GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH".split())  # noqa: SIM905

_PATH_ESCAPES = re.compile(r"//|/\./|/\.\./|/\.{1,2}$|#|%2[fF]")
_SERVICE = re.compile(r"[A-Za-z_][A-Za-z_0-9]*(\.[A-Za-z_][A-Za-z_0-9]*)*")
_METHOD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_ERRORS = range(400, 600)


def check_http_route(route: HTTPRoute) -> Iterator[Problem]:
    """Everything of an HTTPRoute that its definition restricts and that reaches Envoy."""
    spec = route.spec
    yield from _hostnames(spec.hostnames)
    yield from _parents(spec.parent_refs)
    for index, rule in enumerate(spec.rules):
        yield from _http_rule(f"spec.rules[{index}]", rule)
    yield from twice("spec.rules", [rule.name for rule in spec.rules], ".name", "name")


def check_grpc_route(route: GRPCRoute) -> Iterator[Problem]:
    """Everything of a GRPCRoute that its definition restricts and that reaches Envoy."""
    spec = route.spec
    yield from _hostnames(spec.hostnames)
    yield from _parents(spec.parent_refs)
    for index, rule in enumerate(spec.rules):
        path = f"spec.rules[{index}]"
        for position, match in enumerate(rule.matches):
            yield from _grpc_match(f"{path}.matches[{position}]", match)
        yield from check_filters(f"{path}.filters", rule.filters, GRPC_FILTERS)
        yield from _backends(path, rule.backend_refs)
        for position, backend in enumerate(rule.backend_refs):
            here = f"{path}.backendRefs[{position}].filters"
            yield from check_filters(here, backend.filters, GRPC_FILTERS)
        yield from check_session(f"{path}.sessionPersistence", rule.session_persistence)
    yield from twice("spec.rules", [rule.name for rule in spec.rules], ".name", "name")


def check_stream_route(route: TCPRoute | TLSRoute | UDPRoute) -> Iterator[Problem]:
    """Everything of a TCPRoute, a TLSRoute or a UDPRoute that its definition restricts."""
    yield from _parents(route.spec.parent_refs)
    if isinstance(route, TLSRoute):
        yield from _hostnames(route.spec.hostnames)
    if len(route.spec.rules) != 1:
        words = f"spec.rules has {len(route.spec.rules)} rules, and takes exactly one"
        yield clash("spec.rules", words, "Write one rule; its backendRefs can be several.")
    for index, rule in enumerate(route.spec.rules):
        yield from _backends(f"spec.rules[{index}]", rule.backend_refs)


def _hostnames(hostnames: tuple[str, ...]) -> Iterator[Problem]:
    yield from value_faults(
        "spec.hostnames", hostnames, is_wildcard_hostname, "a host name", HOSTNAME_RULE
    )


def _parents(parents: tuple[ParentReference, ...]) -> Iterator[Problem]:
    for index, parent in enumerate(parents):
        path = f"spec.parentRefs[{index}]"
        yield from port_faults(f"{path}.port", parent.port)
        if not parent.name:
            yield wrong(f"{path}.name", parent.name, "a name", "Name the parent.")


def _http_rule(path: str, rule: HTTPRouteRule) -> Iterator[Problem]:
    for index, match in enumerate(rule.matches):
        yield from _http_match(f"{path}.matches[{index}]", match)
    yield from check_filters(f"{path}.filters", rule.filters, HTTP_FILTERS)
    yield from _backends(path, rule.backend_refs)
    for index, backend in enumerate(rule.backend_refs):
        here = f"{path}.backendRefs[{index}].filters"
        below = {name: field for name, field in HTTP_FILTERS.items() if name not in OF_RULES}
        yield from check_filters(here, backend.filters, below)
    yield from _prefixes(path, rule)
    if rule.timeouts:
        yield from _duration(f"{path}.timeouts.request", rule.timeouts.request)
        yield from _duration(f"{path}.timeouts.backendRequest", rule.timeouts.backend_request)
    if rule.retry:
        yield from _retry(f"{path}.retry", rule.retry)
    yield from check_session(f"{path}.sessionPersistence", rule.session_persistence)


def _prefixes(path: str, rule: HTTPRouteRule) -> Iterator[Problem]:
    places = [(f"{path}.filters", rule.filters)]
    places += [
        (f"{path}.backendRefs[{index}].filters", backend.filters)
        for index, backend in enumerate(rule.backend_refs)
    ]
    paths = {match.path.type for match in rule.matches} or {"PathPrefix"}
    for here, filters in places:
        for modifier in path_modifiers(filters):
            if modifier.type == "ReplacePrefixMatch" and paths != {"PathPrefix"}:
                message = f"{path} replaces a matched prefix, but matches by other than PathPrefix"
                yield clash(here, message, "Match by PathPrefix, or ReplaceFullPath.")


def _backends(path: str, backends: Sequence[HTTPBackendRef | BackendRef]) -> Iterator[Problem]:
    for index, backend in enumerate(backends):
        here = f"{path}.backendRefs[{index}]"
        yield from port_faults(f"{here}.port", backend.port)
        if not 0 <= backend.weight <= MOST_WEIGHT:
            yield wrong(f"{here}.weight", backend.weight, "a weight", "Use 0 to 1000000.")
        if (backend.group, backend.kind) == ("", "Service") and backend.port is None:
            yield clash(f"{here}.port", f"{here} names a Service without a port", "Add port.")


def _http_match(path: str, match: HTTPRouteMatch) -> Iterator[Problem]:
    value, kind = match.path.value, match.path.type
    here = f"{path}.path.value"
    if len(value) > LONGEST_PATTERN:
        yield wrong(here, value, "short enough", f"Use at most {LONGEST_PATTERN} characters.")
    elif kind != "RegularExpression" and not value.startswith("/"):
        yield wrong(here, value, "an absolute path", "Start it with /.")
    elif kind != "RegularExpression" and _PATH_ESCAPES.search(value):
        remedy = "Remove //, /./, /../, # and %2F, which no normalised request has."
        yield wrong(here, value, "a normalised path", remedy)
    yield from _headers(path, match.headers)
    for index, query in enumerate(match.query_params):
        yield from header_name_faults(f"{path}.queryParams[{index}].name", query.name)
        yield from _pattern(f"{path}.queryParams[{index}].value", query.value, 1024)
    queries = [one.name for one in match.query_params]
    yield from twice(f"{path}.queryParams", queries, ".name", "name")
    if match.method is not None and match.method not in METHODS:
        remedy = f"Use one of {', '.join(sorted(METHODS))}."
        yield wrong(f"{path}.method", match.method, "a method", remedy)


def _grpc_match(path: str, match: GRPCRouteMatch) -> Iterator[Problem]:
    yield from _headers(path, match.headers)
    method = match.method
    if method is None:
        return
    if not method.service and not method.method:
        words = f"{path}.method has neither service nor method"
        yield clash(f"{path}.method", words, "Set one of them, or both.")
    exact = method.type == "Exact"
    for name, value, form in (
        ("service", method.service, _SERVICE),
        ("method", method.method, _METHOD),
    ):
        here = f"{path}.method.{name}"
        if value and len(value) > LONGEST_PATTERN:
            yield wrong(here, value, "short enough", f"Use at most {LONGEST_PATTERN} characters.")
        elif value and exact and not form.fullmatch(value):
            words = f"a name of a gRPC {name}"
            yield wrong(here, value, words, "Use letters, digits, _ and, in services, dots.")


def _headers(path: str, headers: tuple[HTTPValueMatch, ...]) -> Iterator[Problem]:
    for index, header in enumerate(headers):
        yield from header_name_faults(f"{path}.headers[{index}].name", header.name)
        yield from _pattern(f"{path}.headers[{index}].value", header.value, LONGEST_VALUE)
    yield from twice(f"{path}.headers", [one.name for one in headers], ".name", "name")


def _pattern(path: str, value: str, most: int) -> Iterator[Problem]:
    if not 1 <= len(value) <= most:
        yield wrong(path, value, "a value to match", f"Use 1 to {most} characters.")


def _retry(path: str, retry: HTTPRouteRetry) -> Iterator[Problem]:
    yield from _duration(f"{path}.backoff", retry.backoff)
    if retry.attempts is not None and not 0 <= retry.attempts <= UINT32:
        yield wrong(f"{path}.attempts", retry.attempts, "a number of attempts", "Use 1 or more.")
    for index, code in enumerate(retry.codes):
        if code not in _ERRORS:
            yield wrong(f"{path}.codes[{index}]", code, "a status to retry", "Use 400 to 599.")


def check_session(path: str, session: SessionPersistence | None) -> Iterator[Problem]:
    """What the definition of sessionPersistence refuses, wherever it stands."""
    if session is None:
        return
    yield from _duration(f"{path}.absoluteTimeout", session.absolute_timeout)
    yield from _duration(f"{path}.idleTimeout", session.idle_timeout)
    cookie = session.cookie or session.cookie_config
    if cookie and cookie.lifetime_type == "Permanent" and session.absolute_timeout is None:
        words = f"{path} has a Permanent cookie without absoluteTimeout, which says how long"
        yield clash(path, words, "Add absoluteTimeout.")
    wrong_kind = session.header if session.type == "Cookie" else cookie
    if wrong_kind is not None:
        words = f"{path} is of type {session.type} and has settings of the other type"
        yield clash(path, words, "Keep the settings of its type.")
    for here, name in (
        (f"{path}.cookie.name", cookie.name if cookie else None),
        (f"{path}.header.name", session.header.name if session.header else None),
        (f"{path}.sessionName", session.session_name),
    ):
        if name is not None:
            yield from header_name_faults(here, name)
    if session.type == "Header" and session.header is None and session.session_name is None:
        yield clash(path, f"{path} is of type Header and names none", "Add header.name.")


def _duration(path: str, text: str | None) -> Iterator[Problem]:
    if text is not None and not is_duration(text):
        yield wrong(path, text, "a duration", "Write it as 10s, 1m30s or 500ms.")
