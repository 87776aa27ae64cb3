"""IP addresses and ranges in one canonical form."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

from serai.api.syntax import is_ipv4


def canonical(text: str) -> str | None:
    """An address, or a range as ``address/bits``; a range of one is an address; None if neither."""
    if is_ipv4(text):
        return text
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        return None
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def is_range(cidr: str) -> bool:
    """Whether a canonical address is a range of several."""
    return "/" in cidr


def is_ip(text: str) -> bool:
    """Whether a text is one IP address."""
    if is_ipv4(text):
        return True
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


SOCKET = "unix://"


def is_socket(text: str) -> bool:
    """Whether an address is a Unix socket: ``unix:///path``, or ``unix://@name`` (abstract)."""
    return text.startswith(SOCKET)


def is_loopback(text: str) -> bool:
    """Whether a canonical address or range lies on loopback; no host's name does."""
    return ip_interface(text).is_loopback if ":" in text else text.startswith("127.")


def with_port(address: str, port: int) -> str:
    """``address:port``, with brackets around IPv6, as Envoy prints it; a socket has no port."""
    if is_socket(address):
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


_BESIDE = frozenset({"127.0.0.1", "::1", "0.0.0.0", "::"})  # noqa: S104  # refused, not bound


def is_elsewhere(text: str) -> bool:
    """Whether an endpoint's address is an IP address that is not that of the proxy's own machine.

    It is asked of every endpoint there is, so it does not parse them again.
    """
    six = ":" in text and "/" not in text and not text.startswith("::ffff:")
    return (six or text.replace(".", "").isdigit()) and text not in _BESIDE
