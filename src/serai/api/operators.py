"""Envoy's operators in texts: what may be written, so that Envoy never has to refuse it.

Each was tried on Envoy 1.40, which refuses a whole listener or route configuration for one typo.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_OPERATOR = re.compile(r"%(?:%|([A-Z0-9_]+)(?:\((.*?)\))?(?::([0-9]+))?%)")

_PLAIN = frozenset(
    [
        "ACCESS_LOG_TYPE",
        "BYTES_RECEIVED",
        "BYTES_RETRANSMITTED",
        "BYTES_SENT",
        "CONNECTION_ID",
        "CONNECTION_TERMINATION_DETAILS",
        "CUSTOM_FLAGS",
        "DOWNSTREAM_DETECTED_CLOSE_TYPE",
        "DOWNSTREAM_DIRECT_LOCAL_ADDRESS",
        "DOWNSTREAM_DIRECT_LOCAL_PORT",
        "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
        "DOWNSTREAM_DIRECT_REMOTE_PORT",
        "DOWNSTREAM_HANDSHAKE_DURATION",
        "DOWNSTREAM_HEADER_BYTES_RECEIVED",
        "DOWNSTREAM_HEADER_BYTES_SENT",
        "DOWNSTREAM_LOCAL_ADDRESS",
        "DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID",
        "DOWNSTREAM_LOCAL_CLOSE_REASON",
        "DOWNSTREAM_LOCAL_DNS_SAN",
        "DOWNSTREAM_LOCAL_EMAIL_SAN",
        "DOWNSTREAM_LOCAL_IP_SAN",
        "DOWNSTREAM_LOCAL_OTHERNAME_SAN",
        "DOWNSTREAM_LOCAL_PORT",
        "DOWNSTREAM_LOCAL_SUBJECT",
        "DOWNSTREAM_LOCAL_URI_SAN",
        "DOWNSTREAM_PEER_CERT",
        "DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1",
        "DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256",
        "DOWNSTREAM_PEER_CHAIN_SERIALS",
        "DOWNSTREAM_PEER_DNS_SAN",
        "DOWNSTREAM_PEER_EMAIL_SAN",
        "DOWNSTREAM_PEER_FINGERPRINT_1",
        "DOWNSTREAM_PEER_FINGERPRINT_256",
        "DOWNSTREAM_PEER_IP_SAN",
        "DOWNSTREAM_PEER_ISSUER",
        "DOWNSTREAM_PEER_OTHERNAME_SAN",
        "DOWNSTREAM_PEER_SERIAL",
        "DOWNSTREAM_PEER_SUBJECT",
        "DOWNSTREAM_PEER_URI_SAN",
        "DOWNSTREAM_REMOTE_ADDRESS",
        "DOWNSTREAM_REMOTE_PORT",
        "DOWNSTREAM_TLS_CIPHER",
        "DOWNSTREAM_TLS_SESSION_ID",
        "DOWNSTREAM_TLS_VERSION",
        "DOWNSTREAM_TRANSPORT_FAILURE_REASON",
        "DURATION",
        "FILTER_CHAIN_NAME",
        "GRPC_STATUS",
        "GRPC_STATUS_NUMBER",
        "HOSTNAME",
        "LOCAL_REPLY_BODY",
        "PACKETS_RETRANSMITTED",
        "PATH",
        "PROTOCOL",
        "QUERY_PARAMS",
        "REQUESTED_SERVER_NAME",
        "REQUEST_DURATION",
        "REQUEST_HEADERS_BYTES",
        "REQUEST_TX_DURATION",
        "RESPONSE_CODE",
        "RESPONSE_DURATION",
        "RESPONSE_FLAGS",
        "RESPONSE_FLAGS_LONG",
        "RESPONSE_HEADERS_BYTES",
        "RESPONSE_TRAILERS_BYTES",
        "RESPONSE_TX_DURATION",
        "ROUNDTRIP_DURATION",
        "ROUTE_NAME",
        "SPAN_ID",
        "STREAM_ID",
        "TLS_JA3_FINGERPRINT",
        "TLS_JA4_FINGERPRINT",
        "TRACE_ID",
        "UNIQUE_ID",
        "UPSTREAM_CLUSTER",
        "UPSTREAM_CLUSTER_RAW",
        "UPSTREAM_CONNECTION_ID",
        "UPSTREAM_CONNECTION_IDS_ATTEMPTED",
        "UPSTREAM_CONNECTION_POOL_READY_DURATION",
        "UPSTREAM_DETECTED_CLOSE_TYPE",
        "UPSTREAM_HEADER_BYTES_RECEIVED",
        "UPSTREAM_HEADER_BYTES_SENT",
        "UPSTREAM_HOST",
        "UPSTREAM_HOSTS_ATTEMPTED",
        "UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT",
        "UPSTREAM_HOST_NAME",
        "UPSTREAM_HOST_NAMES_ATTEMPTED",
        "UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT",
        "UPSTREAM_HOST_NAME_WITHOUT_PORT",
        "UPSTREAM_LOCAL_ADDRESS",
        "UPSTREAM_LOCAL_CLOSE_REASON",
        "UPSTREAM_LOCAL_DNS_SAN",
        "UPSTREAM_LOCAL_IP_SAN",
        "UPSTREAM_LOCAL_PORT",
        "UPSTREAM_LOCAL_URI_SAN",
        "UPSTREAM_PEER_CERT",
        "UPSTREAM_PEER_DNS_SAN",
        "UPSTREAM_PEER_IP_SAN",
        "UPSTREAM_PEER_ISSUER",
        "UPSTREAM_PEER_SUBJECT",
        "UPSTREAM_PEER_URI_SAN",
        "UPSTREAM_PROTOCOL",
        "UPSTREAM_REMOTE_ADDRESS",
        "UPSTREAM_REMOTE_PORT",
        "UPSTREAM_REQUEST_ATTEMPT_COUNT",
        "UPSTREAM_TLS_CIPHER",
        "UPSTREAM_TLS_SESSION_ID",
        "UPSTREAM_TLS_VERSION",
        "UPSTREAM_TRANSPORT_FAILURE_REASON",
        "UPSTREAM_WIRE_BYTES_RECEIVED",
        "UPSTREAM_WIRE_BYTES_SENT",
        "VIRTUAL_CLUSTER_NAME",
    ]
)
_EITHER = frozenset(
    [
        "DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT",
        "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
        "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
        "DOWNSTREAM_PEER_CERT_V_END",
        "DOWNSTREAM_PEER_CERT_V_START",
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
        "EMIT_TIME",
        "RESPONSE_CODE_DETAILS",
        "START_TIME",
        "START_TIME_LOCAL",
        "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
        "UPSTREAM_PEER_CERT_V_END",
        "UPSTREAM_PEER_CERT_V_START",
        "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    ]
)
_HEADERS = frozenset(
    ["REQ", "REQUEST_HEADER", "RESP", "RESPONSE_HEADER", "TRAILER", "RESPONSE_TRAILER"]
)
_NEEDS = _HEADERS | frozenset(
    [
        "CEL",
        "CLUSTER_METADATA",
        "COALESCE",
        "COMMON_DURATION",
        "DYNAMIC_METADATA",
        "ENVIRONMENT",
        "FILTER_STATE",
        "METADATA",
        "QUERY_PARAM",
        "TYPED_CEL",
        "UPSTREAM_FILTER_STATE",
        "UPSTREAM_METADATA",
    ]
)
_SHORTENED = _HEADERS | frozenset(
    [
        "CEL",
        "DYNAMIC_METADATA",
        "ENVIRONMENT",
        "FILTER_STATE",
        "PATH",
        "QUERY_PARAM",
        "QUERY_PARAMS",
        "TYPED_CEL",
        "UPSTREAM_FILTER_STATE",
    ]
)
"""Those whose value may be cut to a length."""

_POINT = "(DS|US)_(RX|TX)_(BEG|END)|[A-Za-z0-9_.]+"
_ARGUMENTS = {
    "PATH": re.compile(r"(WQ|NQ)?(:(ORIG|PATH|ORIG_OR_PATH))?"),
    "QUERY_PARAMS": re.compile(r"ORIG|DECODED"),
    "FILTER_STATE": re.compile(r"[^:]+(:(PLAIN|TYPED|FIELD:.+))?"),
    "UPSTREAM_FILTER_STATE": re.compile(r"[^:]+(:(PLAIN|TYPED|FIELD:.+))?"),
    "METADATA": re.compile(
        r"(DYNAMIC|CLUSTER|ROUTE|UPSTREAM_HOST|LISTENER|VIRTUAL_HOST|LISTENER_FILTER_CHAIN):.+"
    ),
    "COMMON_DURATION": re.compile(rf"({_POINT}):({_POINT}):(ms|us|ns)"),
    **dict.fromkeys(
        _HEADERS, re.compile(r":?[A-Za-z0-9!#$&'*+.^_`|~-]+(\?:?[A-Za-z0-9!#$&'*+.^_`|~-]+)?")
    ),
}
"""What those that are choosy take in their parentheses."""


def operators_fault(text: str) -> str:
    """What Envoy would refuse in a text; empty if nothing."""
    at = 0
    while (at := text.find("%", at)) >= 0:
        found = _OPERATOR.match(text, at)
        if found is None:
            shown = text[at : at + 20]
            return f'"{shown}" is no operator such as %PROTOCOL%; write %% for a percent sign'
        if found[0] != "%%" and (fault := _fault(found[1], found[2], found[3])):
            return fault
        at = found.end()
    return ""


def _fault(name: str, argument: str | None, length: str | None) -> str:
    if name not in _PLAIN | _EITHER | _NEEDS:
        return f"Envoy has no operator %{name}%"
    if argument and name in _PLAIN and name not in _ARGUMENTS:
        return f"%{name}% takes nothing in parentheses"
    if not argument and name in _NEEDS:
        return f"%{name}% needs something in parentheses"
    if length is not None and name not in _SHORTENED:
        return f"%{name}% cannot be cut to a length"
    wanted = _ARGUMENTS.get(name)
    if argument and wanted and not wanted.fullmatch(argument):
        return f"%{name}({argument})% has something in parentheses that Envoy does not take"
    return ""


def nested_fault(value: Any) -> str:
    """What Envoy would refuse in any of the texts of a JSON value; empty if nothing."""
    return next((fault for text in _texts(value) if (fault := operators_fault(text))), "")


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from _texts(each)
        case list():
            for each in value:
                yield from _texts(each)
        case _:
            pass
