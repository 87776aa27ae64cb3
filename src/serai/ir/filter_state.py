"""What listeners note of a connection in Envoy's filter state, and policies look for there."""

from __future__ import annotations

PEER_PRINCIPAL = "io.istio.peer_principal"
"""Holds the caller's identity, under the name that Istio's policies use."""

SOURCE_ADDRESS = "serai.source_address"
"""Holds the connection's other end, as the PROXY protocol or a tunnel tells.

What Envoy itself calls the direct address is ztunnel's, or none inside the proxy.
"""
