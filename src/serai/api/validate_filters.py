"""What the definitions of a route's filters refuse, and filters that are not there yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import re2

from serai.api.faults import clash, port_faults, twice, wrong
from serai.api.httproute import (
    BackendReference,
    HTTPExternalAuthFilter,
    HTTPHeaderFilter,
    HTTPPathModifier,
    HTTPRequestMirrorFilter,
    HTTPRouteFilter,
)
from serai.api.problem import Problem
from serai.api.syntax import is_header_name, is_hostname
from serai.api.traffic_policy import HTTPCORSFilter

LONGEST_VALUE = 4096
WHOLE = 100
_PATH = re2.compile(r"(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+")

GRPC_FILTERS = {
    "RequestHeaderModifier": "request_header_modifier",
    "ResponseHeaderModifier": "response_header_modifier",
    "RequestMirror": "request_mirror",
    "ExtensionRef": "extension_ref",
}
"""The filters that a GRPCRoute holds, by type, and their fields."""

HTTP_FILTERS = {
    **GRPC_FILTERS,
    "RequestRedirect": "request_redirect",
    "URLRewrite": "url_rewrite",
    "CORS": "cors",
    "ExternalAuth": "external_auth",
}
"""The filters that an HTTPRoute holds, by type, and their fields."""

_FIELDS = {"URLRewrite": "urlRewrite", "CORS": "cors"}
OF_RULES = frozenset({"CORS", "ExternalAuth"})
"""Those that a rule can have and one of its backends cannot: they answer before one is chosen."""

_REPEATABLE = frozenset({"RequestMirror", "ExtensionRef"})


def check_filters(
    path: str, filters: tuple[HTTPRouteFilter, ...], known: Mapping[str, str]
) -> Iterator[Problem]:
    """The filters of a rule or of a backendRef.

    A redirect beside a rewrite is told in the route's status: IncompatibleFilters.
    """
    for index, one in enumerate(filters):
        here = f"{path}[{index}]"
        field = known.get(one.type)
        if field is None:
            message = (
                f"{here}.type {one.type[:80]} is not implemented; the requests it is meant for"
                " are answered with 500, since a filter may not be skipped"
            )
            remedy = f"Remove the filter; there are {', '.join(known)}."
            yield Problem("SER0007", "warning", message, remedy, path=f"{here}.type")
        elif getattr(one, field) is None:
            name = _FIELDS.get(one.type, one.type[0].lower() + one.type[1:])
            yield clash(here, f"{here} is a {one.type} without {name}", f"Add {name}.")
        yield from _check(here, one)
        if one.external_auth:
            yield from _external_auth(f"{here}.externalAuth", one.external_auth)
    once = [
        one.type if one.type in known and one.type not in _REPEATABLE else "" for one in filters
    ]
    yield from twice(path, once, ".type", "type")


def _check(path: str, one: HTTPRouteFilter) -> Iterator[Problem]:
    if one.request_header_modifier:
        yield from _headers(f"{path}.requestHeaderModifier", one.request_header_modifier)
    if one.response_header_modifier:
        yield from _headers(f"{path}.responseHeaderModifier", one.response_header_modifier)
    if one.cors:
        yield from _cors(f"{path}.cors", one.cors)
    if one.request_mirror:
        yield from _mirror(f"{path}.requestMirror", one.request_mirror)
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


def _headers(path: str, headers: HTTPHeaderFilter) -> Iterator[Problem]:
    for field in ("set", "add"):
        entries = getattr(headers, field)
        for index, header in enumerate(entries):
            yield from header_name_faults(f"{path}.{field}[{index}].name", header.name)
            if len(header.value) > LONGEST_VALUE or any(char in header.value for char in "\r\n\0"):
                here = f"{path}.{field}[{index}].value"
                yield wrong(here, header.value, "a header's value", "Use one line of text.")
        names = [header.name.lower() for header in entries]
        yield from twice(f"{path}.{field}", names, ".name", "name")
    for index, name in enumerate(headers.remove):
        yield from header_name_faults(f"{path}.remove[{index}]", name)


def header_name_faults(path: str, name: str) -> Iterator[Problem]:
    """A name that no header, cookie or query parameter can have."""
    if not is_header_name(name):
        yield wrong(path, name, "a name", "Use letters, digits and !#$%&'*+-.^_`|~ only.")


def _cors(path: str, cors: HTTPCORSFilter) -> Iterator[Problem]:
    if cors.disable is not None:
        yield clash(path, f"{path}.disable is TrafficPolicy's only", "Remove it.")
    if cors.max_age < 1:
        yield wrong(f"{path}.maxAge", cors.max_age, "a number of seconds", "Use 1 or more.")


def _external_auth(path: str, auth: HTTPExternalAuthFilter) -> Iterator[Problem]:
    yield from _backend(f"{path}.backendRef", auth.backend_ref)
    own, other = ("grpc", "http") if auth.protocol == "GRPC" else ("http", "grpc")
    if getattr(auth, own) is None or getattr(auth, other) is not None:
        message = f"{path}.protocol is {auth.protocol}, which takes {own} and not {other}"
        yield clash(path, message, f"Set {own} only; {{}} is enough.")
    if auth.http and auth.http.path and not _PATH.fullmatch(auth.http.path):
        yield wrong(
            f"{path}.http.path", auth.http.path, "a path", "Use / and what paths are made of."
        )
    if auth.forward_body and auth.forward_body.max_size < 0:
        here = f"{path}.forwardBody.maxSize"
        yield wrong(here, auth.forward_body.max_size, "a number of bytes", "Use 0 or more.")


def _backend(path: str, backend: BackendReference) -> Iterator[Problem]:
    yield from port_faults(f"{path}.port", backend.port)
    if (backend.group, backend.kind) == ("", "Service") and backend.port is None:
        yield clash(f"{path}.port", f"{path} names a Service without a port", "Add port.")


def _mirror(path: str, mirror: HTTPRequestMirrorFilter) -> Iterator[Problem]:
    yield from _backend(f"{path}.backendRef", mirror.backend_ref)
    if mirror.percent is not None and mirror.fraction is not None:
        yield clash(path, f"{path} has both percent and fraction", "Keep one of the two.")
    if mirror.percent is not None and not 0 <= mirror.percent <= WHOLE:
        yield wrong(f"{path}.percent", mirror.percent, "a percentage", "Use 0 to 100.")
    fraction = mirror.fraction
    if fraction and not 0 <= fraction.numerator <= max(fraction.denominator, 0):
        words = f"{fraction.numerator}/{fraction.denominator}"
        yield wrong(f"{path}.fraction", words, "a part of the whole", "Use 0/n to n/n.")
    elif fraction and fraction.denominator < 1:
        here = f"{path}.fraction.denominator"
        yield wrong(here, fraction.denominator, "a whole number above 0", "Use 1 or more.")


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


def path_modifiers(filters: tuple[HTTPRouteFilter, ...]) -> Iterator[HTTPPathModifier]:
    """The new paths that redirects and rewrites ask for."""
    for one in filters:
        for action in (one.request_redirect, one.url_rewrite):
            if action and action.path:
                yield action.path
