"""The rules of an AuthorizationPolicy -> predicates.  Istio: the field table of its reference."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_network

import re2

from serai.api.security import Operation, Source
from serai.api.security import Rule as Spec
from serai.policies.authorization.empty import Unusable, refuse_empty
from serai.policies.authorization.predicate import (
    Address,
    AllOf,
    AnyOf,
    Compare,
    Form,
    InRange,
    Not,
    OnPort,
    Predicate,
    Rule,
    Subject,
)
from serai.policies.feature import Fault

ANY = "*"
IDENTITY = "spiffe://"
LARGEST_PORT = 65535


class Scope:
    """What a policy's rules mean where it is: its namespace, and the mesh's trust domains."""

    def __init__(self, namespace: str, trust_domain: str, aliases: tuple[str, ...]) -> None:
        """`aliases` are former names of the trust domain."""
        self.namespace = namespace
        self.trust_domains = tuple(dict.fromkeys((trust_domain, *aliases)))


def http_rules(specs: tuple[Spec, ...], scope: Scope) -> tuple[Rule, ...] | Fault:
    """The rules for requests."""
    found: list[Rule] = []
    for number, spec in enumerate(specs):
        try:
            refuse_empty(spec)
            found.append(_rule(number, spec, scope, http=True))
        except Unusable as problem:
            return Fault(f"rules[{number}]", str(problem))
    return tuple(found)


def tcp_rules(specs: tuple[Spec, ...], scope: Scope, *, allowing: bool) -> tuple[Rule, ...]:
    """The rules for connections that are not HTTP, of rules that are sound.

    What only HTTP has matches nobody: a rule that would allow by it is left out, and in any
    other rule it is ignored, which widens the rule.  Either way less is allowed.
    """
    return tuple(
        _rule(number, spec, scope, http=False)
        for number, spec in enumerate(specs)
        if not (allowing and _needs_http(spec))
    )


def _rule(number: int, spec: Spec, scope: Scope, *, http: bool) -> Rule:
    who: list[Predicate] = []
    what: list[Predicate] = []
    if spec.from_:
        who.append(AnyOf(tuple(_source(each.source, scope, http=http) for each in spec.from_)))
    if spec.to:
        what.append(AnyOf(tuple(_operation(each.operation, http=http) for each in spec.to)))
    for condition in spec.when:
        field = _field(condition.key, scope)
        if http or not field.http_only:
            side = what if field.of_operation else who
            side += _of(field, condition.values, condition.not_values)
    return Rule(number, _all(who), _all(what))


def _all(parts: list[Predicate]) -> Predicate:
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


class _Field:
    """A field: how a value of it is compared, and whether only HTTP has it."""

    def __init__(
        self,
        compare: Callable[[str], Predicate],
        *,
        http_only: bool = False,
        of_operation: bool = False,
    ) -> None:
        self.compare = compare
        self.http_only = http_only
        self.of_operation = of_operation


def _of(field: _Field, values: tuple[str, ...], not_values: tuple[str, ...]) -> Iterator[Predicate]:
    if values:
        yield AnyOf(tuple(field.compare(each) for each in values))
    if not_values:
        yield Not(AnyOf(tuple(field.compare(each) for each in not_values)))


def _source(source: Source, scope: Scope, *, http: bool) -> Predicate:
    fields = (
        (_principal(scope), source.principals, source.not_principals),
        (_REQUEST_PRINCIPAL, source.request_principals, source.not_request_principals),
        (_NAMESPACE, source.namespaces, source.not_namespaces),
        (_account(scope), source.service_accounts, source.not_service_accounts),
        (_TRUST_DOMAIN, source.trust_domains, source.not_trust_domains),
        (_SOURCE_IP, source.ip_blocks, source.not_ip_blocks),
        (_REMOTE_IP, source.remote_ip_blocks, source.not_remote_ip_blocks),
    )
    return _all([p for f, yes, no in fields if http or not f.http_only for p in _of(f, yes, no)])


def _operation(operation: Operation, *, http: bool) -> Predicate:
    fields = (
        (_HOST, operation.hosts, operation.not_hosts),
        (_METHOD, operation.methods, operation.not_methods),
        (_PATH, operation.paths, operation.not_paths),
        (_PORT, operation.ports, operation.not_ports),
    )
    return _all([p for f, yes, no in fields if http or not f.http_only for p in _of(f, yes, no)])


def _needs_http(spec: Spec) -> bool:
    sources = [each.source for each in spec.from_ or ()]
    operations = [each.operation for each in spec.to or ()]
    return (
        any(each.request_principals or each.not_request_principals for each in sources)
        or any(
            each.hosts or each.not_hosts or each.methods or each.not_methods for each in operations
        )
        or any(each.paths or each.not_paths for each in operations)
        or any(each.key.startswith("request.") for each in spec.when)
    )


def _text(subject: Subject, *name: str, ignore_case: bool = False) -> Callable[[str], Predicate]:
    """Exact, with ``*`` at one end prefix or suffix, and alone presence."""

    def compare(value: str) -> Predicate:
        form, text = _form(value)
        return Compare(subject, form, text, name, ignore_case)

    return compare


def _form(value: str) -> tuple[Form, str]:
    if value == ANY:
        return Form.PRESENT, ""
    if value.startswith(ANY):
        return Form.SUFFIX, value[1:]
    if value.endswith(ANY):
        return Form.PREFIX, value[:-1]
    return Form.EXACT, value


def _identity(pattern: str) -> Compare:
    return Compare(Subject.PRINCIPAL, Form.REGEX, IDENTITY + pattern)


def _wild(value: str) -> str:
    """A regular expression in which ``*`` stands for all but ``/``, and all else for itself."""
    return "[^/]*".join(re2.escape(part) for part in value.split(ANY))


def _principal(scope: Scope) -> _Field:
    def compare(value: str) -> Predicate:
        name = value.removeprefix(IDENTITY)
        return AnyOf(tuple(_one_principal(each) for each in _aliases(name, scope.trust_domains)))

    return _Field(compare)


def _one_principal(name: str) -> Predicate:
    form, text = _form(name)
    if form is Form.SUFFIX:
        return _identity(".*" + re2.escape(text))
    if form is Form.PRESENT:
        return Compare(Subject.PRINCIPAL, Form.PRESENT)
    return Compare(Subject.PRINCIPAL, form, IDENTITY + text)


_WHOLE = re.compile(r"([^/]+)(/ns/[^/]+/sa/[^/]+)")


def _aliases(name: str, trust_domains: tuple[str, ...]) -> tuple[str, ...]:
    """An identity under every name of the mesh's trust domain, where it is of that.

    Istio: trustDomainAliases; ``cluster.local`` always means the mesh's own.
    """
    parts = _WHOLE.fullmatch(name)
    if parts is None or name.startswith(ANY):
        return (name,)
    if parts[1] not in {"cluster.local", *trust_domains}:
        return (name,)
    return tuple(domain + parts[2] for domain in trust_domains)


def _account(scope: Scope) -> _Field:
    def compare(value: str) -> Predicate:
        namespace, slash, name = value.partition("/")
        if not slash:
            namespace, name = scope.namespace, value
        if not namespace or not name or "/" in name or ANY in value:
            raise Unusable(f'"{value}" is not a service account; write namespace/name')
        account = f"/sa/{re2.escape(name)}(/.+)?"
        return _identity(f"[^/]+/ns/{re2.escape(namespace)}(/.+)?{account}")

    return _Field(compare)


def _namespace(value: str) -> Predicate:
    return _identity(f"[^/]+/ns/{_wild(value)}/.*")


def _trust_domain(value: str) -> Predicate:
    return _identity(f"{_wild(value)}/.*")


def _in_range(address: Address) -> Callable[[str], Predicate]:
    def compare(value: str) -> Predicate:
        try:
            return InRange(address, str(ip_network(value, strict=False)))
        except ValueError as error:
            raise Unusable(f'"{value}" is not an IP address or range') from error

    return compare


def _port(value: str) -> Predicate:
    if not value.isdecimal() or not 0 < int(value) <= LARGEST_PORT:
        raise Unusable(f'"{value}" is not a port')
    return OnPort(int(value))


_TEMPLATE = re.compile(r"\{\*\*?\}")


def _path(value: str) -> Predicate:
    if not _TEMPLATE.search(value):
        return _text(Subject.PATH)(value)
    parts = value.split("/")
    wild = [part for part in parts if "*" in part or "{" in part or "}" in part]
    several = [number for number, part in enumerate(parts) if part == "{**}"]
    if parts[0] or any(part not in {"{*}", "{**}"} for part in wild) or len(several) > 1:
        raise Unusable(f'"{value}" is not a path; {{*}} and {{**}} stand for whole elements')
    if several and "{*}" in parts[several[0] :]:
        raise Unusable(f'"{value}" is not a path; after {{**}} there can be no {{*}}')
    plain = value.replace("{**}", "**").replace("{*}", "*")
    return Compare(Subject.PATH, Form.TEMPLATE, plain)


def _request_principal(value: str) -> Predicate:
    """An issuer and a subject, with a slash between; ``*`` stands for any part of either."""
    if value == ANY:
        return AllOf((_claim("iss")(ANY), _claim("sub")(ANY)))
    issuer, slash, subject = value.rpartition("/")
    if value.startswith(ANY) and not slash:
        return AllOf((_claim("iss")(ANY), _claim("sub")(value)))
    if value.endswith(ANY) and not slash:
        return AllOf((_claim("iss")(value), _claim("sub")(ANY)))
    if not slash:
        raise Unusable(f'"{value}" is not a request principal; write issuer/subject')
    return AllOf((_claim("iss")(issuer), _claim("sub")(subject)))


def _claim(*path: str) -> Callable[[str], Predicate]:
    return _text(Subject.CLAIM, *path)


_NAMESPACE = _Field(_namespace)
_TRUST_DOMAIN = _Field(_trust_domain)
_REQUEST_PRINCIPAL = _Field(_request_principal, http_only=True)
_SOURCE_IP = _Field(_in_range(Address.SOURCE))
_REMOTE_IP = _Field(_in_range(Address.REMOTE))
_HOST = _Field(
    _text(Subject.HEADER, ":authority", ignore_case=True), http_only=True, of_operation=True
)
_METHOD = _Field(_text(Subject.HEADER, ":method"), http_only=True, of_operation=True)
_PATH = _Field(_path, http_only=True, of_operation=True)
_PORT = _Field(_port, of_operation=True)

_KEYS = {
    "request.auth.principal": _REQUEST_PRINCIPAL,
    "request.auth.audiences": _Field(_claim("aud"), http_only=True),
    "request.auth.presenter": _Field(_claim("azp"), http_only=True),
    "source.namespace": _NAMESPACE,
    "source.trustDomain": _TRUST_DOMAIN,
    "source.ip": _SOURCE_IP,
    "remote.ip": _REMOTE_IP,
    "destination.port": _PORT,
    "destination.ip": _Field(_in_range(Address.DESTINATION), of_operation=True),
    "connection.sni": _Field(_text(Subject.SERVER_NAME), of_operation=True),
}
_NAMED = re.compile(
    r"(request\.headers|request\.auth\.claims|experimental\.[^\[]+)((?:\[[^\]]+\])+)"
)


def _field(key: str, scope: Scope) -> _Field:
    """The field that a condition's key names.  Raises Unusable where there is none."""
    match key:
        case "source.principal":
            return _principal(scope)
        case "source.serviceAccount":
            return _account(scope)
    if key in _KEYS:
        return _KEYS[key]
    parts = _NAMED.fullmatch(key)
    names = parts[2][1:-1].split("][") if parts else []
    match parts[1] if parts else "":
        case "request.auth.claims":
            return _Field(_claim(*names), http_only=True)
        case "request.headers" if len(names) == 1:
            return _Field(_text(Subject.HEADER, names[0].lower()), http_only=True)
        case filter_key if filter_key.startswith("experimental.envoy.filters.") and len(names) == 1:
            name = filter_key.removeprefix("experimental.")
            return _Field(_metadata(name, names[0]), of_operation=True)
    raise Unusable(f'"{key}" is not an attribute that a condition can look at')


def _metadata(name: str, key: str) -> Callable[[str], Predicate]:
    def compare(value: str) -> Predicate:
        if value.startswith("[") and value.endswith("]"):
            return Compare(Subject.METADATA, Form.LISTED, value[1:-1], (name, key))
        return _text(Subject.METADATA, name, key)(value)

    return compare
