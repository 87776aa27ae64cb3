"""Addresses that a name of the outside world has no business to resolve to.

IANA: IPv4 and IPv6 Special-Purpose Address Registries.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network

RESERVED = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/128",
    "::1/128",
    "::ffff:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "2002::/16",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
)
"""Private, loopback, link-local, multicast, unspecified, and IPv6 ranges that hide IPv4 ones."""


def is_refused(address: str, allowed: tuple[str, ...]) -> bool:
    """Whether an address is reserved, and no allowed range has it."""
    return _lies_in(address, RESERVED) and not _lies_in(address, allowed)


def _lies_in(address: str, ranges: tuple[str, ...]) -> bool:
    found = ip_address(address)
    return any(found in ip_network(each, strict=False) for each in ranges)
