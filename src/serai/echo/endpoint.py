"""An endpoint of the echo server: where it listens, and whom it stands for."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Literal

import msgspec

_WRITTEN = re.compile(
    r"""(?: (?P<mode> https?|h2c|tcp|tls|udp ) :// )?
        (?: \[ (?P<six> [0-9a-fA-F:.]+ ) \] | (?P<four> [0-9.]+ ) )
        : (?P<port> [0-9]{1,5} )
        (?: / (?: (?P<namespace> [^/\s]+ ) / )? (?P<pod> [^/\s]+ ) )?""",
    re.VERBOSE,
)
_LAST_PORT = 65535

Mode = Literal["http", "h2c", "https", "tcp", "tls", "udp"]
"""HTTP/1.1 (and WebSocket); HTTP/2 in clear text; either over TLS; bytes; bytes over TLS; UDP.

Where HTTP/2 is spoken, so is gRPC.
"""
OVER_TLS = ("https", "tls")


class Identity(msgspec.Struct, frozen=True):
    """Whom an endpoint stands for: what it says of itself in every answer."""

    pod: str = ""
    namespace: str = ""
    service: str = ""
    ingress: str = ""


class EchoEndpoint(msgspec.Struct, frozen=True):
    """Where the echo server listens; port 0 takes a free one."""

    address: str
    """A canonical IP address."""
    port: int = 0
    identity: Identity = Identity()
    mode: Mode = "http"

    @property
    def where(self) -> str:
        """``address:port``, as Envoy writes it."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        identity = self.identity
        named = "/".join(part for part in (identity.namespace, identity.pod) if part)
        scheme = "" if self.mode == "http" else f"{self.mode}://"
        return f"{scheme}{self.where}/{named}" if named else f"{scheme}{self.where}"


def parse_endpoint(text: str) -> EchoEndpoint:
    """Reads ``[mode://]address:port[/[namespace/]pod]``.  ValueError, with words, for all else."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not [MODE://]ADDRESS:PORT[/[NAMESPACE/]NAME]")
    port = int(found["port"])
    if port > _LAST_PORT:
        raise ValueError(f"{text!r}: {port} is not a port")
    return EchoEndpoint(
        address=str(ip_address(found["six"] or found["four"])),
        port=port,
        identity=Identity(pod=found["pod"] or "", namespace=found["namespace"] or ""),
        mode=msgspec.convert(found["mode"] or "http", Mode),
    )
