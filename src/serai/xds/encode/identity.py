"""Who calls: taken from the PROXY protocol into filter state, where policies look for it."""

from __future__ import annotations

from typing import Any

from serai.proto.envoy import NetworkSetFilterState, ProxyProtocol
from serai.xds.encode.body import extension

PEER_PRINCIPAL = "io.istio.peer_principal"
"""The filter state that holds the caller's identity, under the name that Istio's policies use."""

PRINCIPAL_TLV = 0xD0
_TLV_METADATA = "envoy.filters.listener.proxy_protocol"


def proxy_protocol() -> dict[str, Any]:
    """The listener filter that reads the header: the destination, and the caller's identity."""
    rule = {"tlv_type": PRINCIPAL_TLV, "on_tlv_present": {"key": "peer_principal"}}
    return extension(_TLV_METADATA, ProxyProtocol(rules=[rule]))


def identity() -> dict[str, Any]:
    """The caller's identity as filter state; without a TLV there is none, and not a dash."""
    value = {
        "object_key": PEER_PRINCIPAL,
        "format_string": {
            "text_format_source": {
                "inline_string": f"%DYNAMIC_METADATA({_TLV_METADATA}:peer_principal)%"
            },
            "omit_empty_values": True,
        },
        "skip_if_empty": True,
        "factory_key": "envoy.string",
        "shared_with_upstream": "ONCE",
    }
    return extension(
        "envoy.filters.network.set_filter_state", NetworkSetFilterState(on_new_connection=[value])
    )
