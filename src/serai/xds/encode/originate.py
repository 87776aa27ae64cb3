"""Tunnels to endpoints in the mesh: how a cluster hands on where to and to whom.

An endpoint's metadata goes with the connection to the listener that opens tunnels.  There it says
which destination is asked for, and which identity the other side must prove.
"""

from __future__ import annotations

from typing import Any

from serai.proto.envoy import (
    InternalUpstreamTransport,
    NetworkSetFilterState,
    RawBuffer,
    TransportSocket,
)
from serai.xds.encode.body import extension
from serai.xds.encode.identity import LOCAL

TO = "envoy.filters.listener.original_dst"
EXPECTED = "serai.endpoint"
AUTHORITY, ENTRANCE = "serai.authority", "serai.entrance"
"""What the inner of two tunnels hands on to the outer one: what is asked for, and of whom.

Both divide connections: else one tunnel could be used for another service or network.
"""
TOLD_APART = "envoy.transport_socket_match"
IN_MESH = "tunnelled"
"""What the metadata of endpoints in the mesh say, where it makes a difference."""
_INTERNAL = "envoy.transport_sockets.internal_upstream"


def passing(inner: Any = None, *, endpoint: bool = False) -> dict[str, Any]:
    """A transport socket that hands on what is known of a connection; `inner` is around its bytes.

    With `endpoint` what is known of the endpoint too.
    """
    plain = extension("envoy.transport_sockets.raw_buffer", RawBuffer())
    passed = [{"kind": {"host": {}}, "name": name} for name in (TO, EXPECTED)] if endpoint else []
    outer = InternalUpstreamTransport(
        transport_socket=plain if inner is None else inner, passthrough_metadata=passed
    )
    return extension(_INTERNAL, outer)


def wrap(message: Any) -> None:
    """Let a cluster's endpoints be reached by tunnels, whatever is spoken inside."""
    inner = message.transport_socket if message.HasField("transport_socket") else None
    message.transport_socket.CopyFrom(TransportSocket(**passing(inner, endpoint=True)))


def spare_tunnels(message: Any, *, opens: bool) -> None:
    """Let endpoints in the mesh do without a cluster's TLS, which their tunnels have already.

    `opens`: this proxy opens them; else a ztunnel beside it does.
    """
    plain = extension("envoy.transport_sockets.raw_buffer", RawBuffer())
    inside = passing(endpoint=True) if opens else plain
    message.transport_socket_matches.add(
        name="in the mesh", match={IN_MESH: True}, transport_socket=TransportSocket(**inside)
    )


def expected_identity(*, inner: bool = False) -> dict[str, Any]:
    """The network filter that notes whom the other end of a tunnel must prove to be.

    Of an `inner` tunnel it is not handed on to the outer one, whose end is somebody else.
    """
    value = {
        "object_key": "envoy.network.upstream_subject_alt_names",
        "format_string": {
            "text_format_source": {"inline_string": f"%DYNAMIC_METADATA({EXPECTED}:san)%"},
            "omit_empty_values": True,
        },
        "skip_if_empty": True,
        "shared_with_upstream": "NONE" if inner else "ONCE",
    }
    return extension("serai.expected_identity", NetworkSetFilterState(on_new_connection=[value]))


def onward() -> dict[str, Any]:
    """The network filter that hands on where the outer tunnel leads, and what to ask for there."""
    states = [
        _shared(LOCAL, "%DOWNSTREAM_LOCAL_ADDRESS%"),
        _shared(ENTRANCE, "%DOWNSTREAM_LOCAL_ADDRESS%", "envoy.hashable_string"),
        _shared(AUTHORITY, f"%DYNAMIC_METADATA({EXPECTED}:authority)%", "envoy.hashable_string"),
    ]
    return extension("serai.onward", NetworkSetFilterState(on_new_connection=states))


def _shared(key: str, value: str, factory: str = "") -> dict[str, Any]:
    return {
        "object_key": key,
        "format_string": {"text_format_source": {"inline_string": value}},
        "factory_key": factory,
        "shared_with_upstream": "ONCE",
    }
