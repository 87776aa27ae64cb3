"""What the operator decides for all objects at once, as far as the core needs it."""

from __future__ import annotations

from typing import Literal

from serai.ir.origin import Value


class Settings(Value, frozen=True):
    """Constant while Serai runs."""

    standalone: bool = True
    """Whether objects come from a folder and every proxy runs on this machine."""
    cluster_domain: str = "cluster.local"
    trust_domain: str = "cluster.local"
    cluster_names: Literal["serai", "istio"] = "serai"
    dns_lookup_family: Literal["V4_PREFERRED", "V4_ONLY", "V6_ONLY", "ALL", "AUTO"] = "V4_PREFERRED"
    """Which addresses Envoy takes of a name that it looks up.  Envoy: DnsLookupFamily."""
    allow_resolved: tuple[str, ...] = ()
    """Ranges that hosts under a wildcard may resolve to though they are not public."""
    bind: str = "127.0.0.1"
    """Where standalone gateways listen."""
    proxy_port: int = 15088
    """Where a waypoint without a listener of its own accepts the PROXY protocol."""
    proxy_bind: tuple[str, ...] = ("127.0.0.1",)
    """Whoever reaches a waypoint's PROXY port can claim any identity, so: loopback."""
