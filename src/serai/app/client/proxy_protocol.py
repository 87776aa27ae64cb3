"""The PROXY protocol, version 2, as ztunnel writes it before a captured connection's bytes.

https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt, section 2.2.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
PRINCIPAL_TLV, HOST_TLV = 0xD0, 0xD1
"""Where ztunnel puts the caller's identity, a SPIFFE URI, and may put the destination's host."""

_VERSION_2_PROXY = 0x21
_TCP_OVER_IPV4 = 0x11
_TCP_OVER_IPV6 = 0x21
_LARGEST = 0xFFFF

Socket = tuple[str, int]
"""IP address and port."""


def proxy_header(source: Socket, destination: Socket, principal: str = "", host: str = "") -> bytes:
    """The bytes that tell a waypoint who connects, and where to.

    If one address is of IPv6 and the other is not, the latter is written as IPv4-mapped.
    ValueError if an address is none, a port is out of range, or identity and host are too long.
    """
    one, other = ip_address(source[0]), ip_address(destination[0])
    family = _TCP_OVER_IPV4
    if IPv6Address in {type(one), type(other)}:
        family, one, other = _TCP_OVER_IPV6, _as_six(one), _as_six(other)
    for _, port in (source, destination):
        if not 0 <= port <= _LARGEST:
            raise ValueError(f"{port} is not a port")
    body = one.packed + other.packed + struct.pack("!HH", source[1], destination[1])
    for kind, text in ((PRINCIPAL_TLV, principal), (HOST_TLV, host)):
        value = text.encode()
        if len(body) + 3 + len(value) > _LARGEST:
            raise ValueError(
                f"an identity or host of {len(value)} bytes does not fit into the header"
            )
        body += struct.pack("!BH", kind, len(value)) + value if value else b""
    return SIGNATURE + struct.pack("!BBH", _VERSION_2_PROXY, family, len(body)) + body


def _as_six(address: IPv4Address | IPv6Address) -> IPv6Address:
    if isinstance(address, IPv6Address):
        return address
    return IPv6Address(b"\x00" * 10 + b"\xff\xff" + address.packed)
