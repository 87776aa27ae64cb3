"""Predicates -> the principals and permissions of Envoy's RBAC filters."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import msgspec

from serai.ir.filter_state import PEER_PRINCIPAL, SOURCE_ADDRESS
from serai.ir.match import PAYLOAD, TOKENS
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
from serai.proto.envoy import UriTemplateMatchConfig
from serai.proto.pool import pack


class _Side(msgspec.Struct, frozen=True):
    """How principals, or permissions, call the same things."""

    members: str
    every: str
    some: str
    none: str


_WHO = _Side("ids", "and_ids", "or_ids", "not_id")
_WHAT = _Side("rules", "and_rules", "or_rules", "not_rule")
_ADDRESSES = {
    Address.REMOTE: "remote_ip",
    Address.DESTINATION: "destination_ip",
}


def encode_rule(rule: Rule) -> dict[str, Any]:
    """A policy of an RBAC filter."""
    return {
        "principals": [_encode(rule.who, _WHO)],
        "permissions": [_encode(rule.what, _WHAT)],
    }


def _encode(predicate: Predicate, side: _Side) -> dict[str, Any]:
    match predicate:
        case AllOf(()):
            return {"any": True}
        case AnyOf(()):
            return {side.none: {"any": True}}
        case AllOf((only,)) | AnyOf((only,)):
            return _encode(only, side)
        case AllOf(parts):
            return {side.every: {side.members: [_encode(each, side) for each in parts]}}
        case AnyOf(parts):
            return {side.some: {side.members: [_encode(each, side) for each in parts]}}
        case Not(part):
            return {side.none: _encode(part, side)}
        case InRange(address, cidr):
            return _in_range(address, cidr)
        case OnPort(port):
            return {"destination_port": port}
        case Compare():
            return _compare(predicate)


def _in_range(address: Address, cidr: str) -> dict[str, Any]:
    network = ip_network(cidr)
    prefix = {
        "address_prefix": str(network.network_address),
        "prefix_len": {"value": network.prefixlen},
    }
    if address is Address.SOURCE:
        ranges = {"ranges": [prefix]}
        return {"filter_state": {"key": SOURCE_ADDRESS, "address_match": ranges}}
    return {_ADDRESSES[address]: prefix}


def _compare(found: Compare) -> dict[str, Any]:
    match found.subject:
        case Subject.PRINCIPAL:
            return {"filter_state": {"key": PEER_PRINCIPAL, "string_match": _string(found)}}
        case Subject.PATH if found.form is Form.TEMPLATE:
            config = pack(UriTemplateMatchConfig(path_template=found.value))
            name = "envoy.path.match.uri_template.uri_template_matcher"
            return {"uri_template": {"name": name, "typed_config": config}}
        case Subject.PATH:
            return {"url_path": {"path": _string(found)}}
        case Subject.HEADER if found.form is Form.PRESENT:
            return {"header": {"name": found.name[0], "present_match": True}}
        case Subject.HEADER:
            return {"header": {"name": found.name[0], "string_match": _string(found)}}
        case Subject.SERVER_NAME:
            return {"requested_server_name": _string(found)}
        case Subject.CLAIM:
            value = {"or_match": {"value_matchers": [_value(found), _listed(found)]}}
            return _metadata(TOKENS, (PAYLOAD, *found.name), value)
        case Subject.METADATA:
            value = _listed(found) if found.form is Form.LISTED else _value(found)
            return _metadata(found.name[0], found.name[1:], value)


def _metadata(name: str, path: tuple[str, ...], value: dict[str, Any]) -> dict[str, Any]:
    keys = [{"key": each} for each in path]
    return {
        "sourced_metadata": {"metadata_matcher": {"filter": name, "path": keys, "value": value}}
    }


def _value(found: Compare) -> dict[str, Any]:
    return {"string_match": _string(found)}


def _listed(found: Compare) -> dict[str, Any]:
    return {"list_match": {"one_of": _value(found)}}


def _string(found: Compare) -> dict[str, Any]:
    match found.form:
        case Form.PRESENT:
            return {"safe_regex": {"regex": ".+"}}
        case Form.REGEX:
            return {"safe_regex": {"regex": found.value}}
        case Form.PREFIX | Form.SUFFIX if not found.value:
            return {"safe_regex": {"regex": ".*"}}
        case Form.PREFIX | Form.SUFFIX:
            return {found.form.value: found.value, "ignore_case": found.ignore_case}
        case _:
            return {"exact": found.value, "ignore_case": found.ignore_case}
