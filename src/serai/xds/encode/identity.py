"""Who calls: taken from the PROXY protocol into filter state, where policies look for it."""

from __future__ import annotations

from typing import Any

from serai.ir.filter_state import PEER_PRINCIPAL, SOURCE_ADDRESS
from serai.proto.cel import cel_formatter
from serai.proto.envoy import HttpSetFilterState, NetworkSetFilterState, ProxyProtocol
from serai.xds.encode.body import extension

PRINCIPAL_TLV, HOST_TLV = 0xD0, 0xD1
"""As Istio's workload.proto has them.  ztunnel does not send the second one yet."""
TLVS, HOST = "envoy.network.proxy_protocol.tlv", "destination_host"
"""The filter state in which the listener filter puts what they say, and a field of it."""


def proxy_protocol() -> dict[str, Any]:
    """The listener filter that reads the header: the destination, and the caller's identity.

    And the destination's host, where the header names it.
    """
    rules = [
        {"tlv_type": kind, "on_tlv_present": {"key": key}}
        for kind, key in ((PRINCIPAL_TLV, "peer_principal"), (HOST_TLV, HOST))
    ]
    # Only in filter state can the choice of a chain look at it.
    found = ProxyProtocol(rules=rules, tlv_location="FILTER_STATE")
    return extension("envoy.filters.listener.proxy_protocol", found)


SOURCE_PRINCIPAL = "serai.source_principal"
SOURCE_NAMESPACE = "serai.source_namespace"
CONNECTION_SECURITY = "serai.connection_security"
"""What is told of the caller, in logs and metrics: "unknown" where there is no identity.

Nothing decides by them.
"""


def source() -> dict[str, Any]:
    """The network filter that notes where a connection comes from."""
    return _noting(_source(), *_told())


def identity() -> dict[str, Any]:
    """That, and the caller's identity; without a TLV there is none, and not a dash."""
    return _noting(
        _source(),
        _noted(PEER_PRINCIPAL, f"%FILTER_STATE({TLVS}:FIELD:peer_principal)%", "envoy.string"),
        *_told(),
    )


def _source() -> dict[str, Any]:
    """Not shared: it has to divide no connections to endpoints."""
    address = "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"
    return _noted(SOURCE_ADDRESS, address, "envoy.network.ip", shared=False)


def _told() -> list[dict[str, Any]]:
    """What is told of the caller, worked out once a connection."""
    known = f"'{PEER_PRINCIPAL}' in filter_state"
    principal = f"string(filter_state['{PEER_PRINCIPAL}'])"
    # spiffe://<trust domain>/ns/<namespace>/sa/<service account>
    parts = f"{principal}.split('/')"
    namespace = f"{known} && {parts}.size() > 4 && {parts}[3] == 'ns' ? {parts}[4] : 'unknown'"
    said = (
        (SOURCE_PRINCIPAL, f"{known} ? {principal} : 'unknown'"),
        (SOURCE_NAMESPACE, namespace),
        (CONNECTION_SECURITY, f"{known} ? 'mutual_tls' : 'none'"),
    )
    return [_computed(key, expression) for key, expression in said]


def _computed(key: str, expression: str) -> dict[str, Any]:
    state = _noted(key, f"%CEL({expression})%", "envoy.string", shared=False)
    formatters = [cel_formatter()]
    return {**state, "format_string": {**state["format_string"], "formatters": formatters}}


def _noting(*states: dict[str, Any]) -> dict[str, Any]:
    filter_ = NetworkSetFilterState(on_new_connection=states)
    return extension("envoy.filters.network.set_filter_state", filter_)


CONNECT_AUTHORITY = "io.istio.connect_authority"
"""The filter state that holds what a tunnel was asked for, under Istio's name."""


LOCAL = "envoy.filters.listener.original_dst.local_ip"
REMOTE = "envoy.filters.listener.original_dst.remote_ip"
"""The filter states from which a listener inside takes the addresses of a connection."""


def tunnel_states() -> dict[str, Any]:
    """The HTTP filter that notes for whom a tunnel is, and whose.

    What is shared is hashable: otherwise Envoy may hand one tunnel's bytes to the connection that
    it made for another's.
    """
    states = [
        _noted(LOCAL, "%REQ(:AUTHORITY)%"),
        _noted(REMOTE, "%DOWNSTREAM_REMOTE_ADDRESS%"),
        _noted(CONNECT_AUTHORITY, "%REQ(:AUTHORITY)%", "envoy.hashable_string"),
        _noted(PEER_PRINCIPAL, "%DOWNSTREAM_PEER_URI_SAN%", "envoy.hashable_string"),
    ]
    return extension("serai.tunnel", HttpSetFilterState(on_request_headers=states))


def destination() -> dict[str, Any]:
    """The network filter that hands on where a connection was going, and nothing else of it.

    So connections to endpoints are divided by the address that clients asked for alone.
    """
    states = [_noted(LOCAL, "%DOWNSTREAM_LOCAL_ADDRESS%")]
    return extension("serai.destination", NetworkSetFilterState(on_new_connection=states))


def relay() -> dict[str, Any]:
    """The network filter that hands on what is known of a connection, to a listener inside."""
    states = [
        _noted(LOCAL, "%DOWNSTREAM_LOCAL_ADDRESS%"),
        _noted(REMOTE, "%DOWNSTREAM_REMOTE_ADDRESS%"),
        *(
            _noted(key, f"%FILTER_STATE({key}:PLAIN)%", "envoy.hashable_string")
            for key in (CONNECT_AUTHORITY, PEER_PRINCIPAL)
        ),
    ]
    return extension("serai.relay", NetworkSetFilterState(on_new_connection=states))


def _noted(key: str, value: str, factory: str = "", *, shared: bool = True) -> dict[str, Any]:
    return {
        "object_key": key,
        "format_string": {
            "text_format_source": {"inline_string": value},
            "omit_empty_values": True,
        },
        "skip_if_empty": True,
        "factory_key": factory,
        "shared_with_upstream": "ONCE" if shared else "NONE",
    }
