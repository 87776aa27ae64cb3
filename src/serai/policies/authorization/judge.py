"""Predicates judged without a proxy, as Envoy judges them."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import re2

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
from serai.policies.feature import Asked


def matches(rule: Rule, asked: Asked) -> bool:
    """Whether a rule is about a request."""
    return _holds(rule.who, asked) and _holds(rule.what, asked)


def _holds(predicate: Predicate, asked: Asked) -> bool:
    match predicate:
        case AllOf(parts):
            return all(_holds(each, asked) for each in parts)
        case AnyOf(parts):
            return any(_holds(each, asked) for each in parts)
        case Not(part):
            return not _holds(part, asked)
        case InRange(address, cidr):
            found = _address(address, asked)
            return bool(found) and ip_address(found) in ip_network(cidr)
        case OnPort(port):
            return asked.port == port
        case Compare():
            return any(_compares(predicate, each) for each in _texts(predicate, asked))


def _address(address: Address, asked: Asked) -> str:
    match address:
        case Address.SOURCE:
            return asked.source
        case Address.REMOTE:
            return asked.remote
        case Address.DESTINATION:
            return asked.destination


def _texts(found: Compare, asked: Asked) -> tuple[str, ...]:
    text: str | None
    match found.subject:
        case Subject.PRINCIPAL:
            text = asked.principal
        case Subject.PATH:
            text = asked.path.partition("?")[0]
        case Subject.HEADER:
            text = _header(found.name[0], asked)
        case Subject.CLAIM:
            return asked.claim(found.name)
        case Subject.SERVER_NAME:
            text = asked.server_name
        case Subject.METADATA:
            text = None  # of other filters, which nothing here runs
    return () if text is None else (text,)


def _header(name: str, asked: Asked) -> str | None:
    match name:
        case ":authority" | "host":
            return asked.authority
        case ":method":
            return asked.method
        case ":path":
            return asked.path
        case _:
            return asked.header(name)


def _compares(found: Compare, text: str) -> bool:
    value = found.value
    if found.ignore_case:
        value, text = value.lower(), text.lower()
    match found.form:
        case Form.EXACT | Form.LISTED:
            return text == value
        case Form.PREFIX:
            return text.startswith(value)
        case Form.SUFFIX:
            return text.endswith(value)
        case Form.PRESENT:
            return found.subject is Subject.HEADER or bool(text)
        case Form.REGEX:
            return re2.fullmatch(value, text) is not None
        case Form.TEMPLATE:
            return re2.fullmatch(_template(value), text) is not None


def _template(path: str) -> str:
    several = {"**": ".*", "*": "[^/]+"}
    return "/".join(several.get(part, re2.escape(part)) for part in path.split("/"))
