"""ir.RequestMatch -> RouteMatch."""

from __future__ import annotations

import re
from typing import Any

from serai.ir.filter_state import PEER_PRINCIPAL
from serai.ir.match import (
    TOKENS,
    ClaimMatch,
    PathKind,
    PathMatch,
    RequestMatch,
    ValueMatch,
    as_number,
    is_connect,
)


def encode_match(
    match: RequestMatch, trust_domains: tuple[str, ...], below: int | None = None
) -> dict[str, Any]:
    """A route's match.  The namespace of a client is that of its SPIFFE identity.

    `below`: only requests whose random number is below this one, of a million.
    """
    headers = [_value(each, "string_match") for each in match.headers]
    if match.method is not None:
        headers.insert(0, {"name": ":method", "string_match": {"exact": match.method}})
    encoded: dict[str, Any] = {
        **({"connect_matcher": {}} if is_connect(match) else _path(match.path)),
        "headers": headers,
        "query_parameters": [_value(each, "string_match") for each in match.query],
    }
    if match.grpc:
        encoded["grpc"] = {}
    if match.claims:
        encoded["dynamic_metadata"] = [_claim(each) for each in match.claims]
    if below is not None:
        share = {"numerator": below, "denominator": "MILLION"}
        encoded["runtime_fraction"] = {"default_value": share}
    if match.client_namespace:
        whose = _client(match.client_namespace, trust_domains)
        encoded["filter_state"] = [{"key": PEER_PRINCIPAL, "string_match": whose}]
    return encoded


def _client(namespace: str, trust_domains: tuple[str, ...]) -> dict[str, Any]:
    """The identities of a namespace, in any of the trust domains."""
    if len(trust_domains) == 1:
        return {"prefix": f"spiffe://{trust_domains[0]}/ns/{namespace}/"}
    domains = "|".join(map(re.escape, trust_domains))
    return {"safe_regex": {"regex": f"spiffe://(?:{domains})/ns/{re.escape(namespace)}/.*"}}


def _path(path: PathMatch) -> dict[str, Any]:
    match path.kind:
        case PathKind.EXACT:
            return {"path": path.value}
        case PathKind.REGEX:
            return {"safe_regex": {"regex": path.value}}
        case PathKind.PREFIX:
            whole = path.value.rstrip("/")
            return {"path_separated_prefix": whole} if whole else {"prefix": "/"}


def _claim(match: ClaimMatch) -> dict[str, Any]:
    """As a text, an entry of a list, or the number or truth that the text is."""
    text = {"string_match": _pattern(match)}
    values: list[dict[str, Any]] = [text, {"list_match": {"one_of": text}}]
    if not match.regex and (number := as_number(match.value)) is not None:
        values.append({"double_match": {"exact": number}})
    if not match.regex and match.value in {"true", "false"}:
        values.append({"bool_match": match.value == "true"})
    return {
        "filter": TOKENS,
        "path": [{"key": each} for each in (match.said_in, *match.path)],
        "value": {"or_match": {"value_matchers": values}},
    }


def _pattern(match: ValueMatch | ClaimMatch) -> dict[str, Any]:
    return {"safe_regex": {"regex": match.value}} if match.regex else {"exact": match.value}


def _value(match: ValueMatch, field: str) -> dict[str, Any]:
    return {"name": match.name, field: _pattern(match)}
