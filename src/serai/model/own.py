"""What belongs to the proxy itself and to us: no object leads there, whoever wrote it.

Whoever reaches Envoy's admin interface can stop it and read what it knows; whoever reaches our
sockets can read every proxy's configuration.  Both listen where only their own machine or Pod can
connect, and a proxy connects from there.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from posixpath import normpath
from typing import TypeVar

from serai.ir.cluster import Endpoint
from serai.model.addresses import SOCKET, canonical, is_ip, is_socket
from serai.model.settings import Settings

_HERE = (
    *("0.0.0.0/8", "127.0.0.0/8", "::/128", "::1/128"),
    *("::ffff:0.0.0.0/104", "::ffff:127.0.0.0/104"),
)
"""Where a connection stays within the machine: loopback, and unspecified, which Linux takes so."""

_Network = TypeVar("_Network", IPv4Network, IPv6Network)


def is_own(address: str, port: int, settings: Settings) -> bool:
    """Whether an endpoint (IP address, name or Unix socket) is one of our own places."""
    if is_socket(address):
        path = normpath(address.removeprefix(SOCKET))
        return any(path == own or path.startswith(f"{own}/") for own in settings.own_paths)
    if port not in settings.closed_ports:
        return False
    if is_ip(address):
        return any(ip_address(address) in ip_network(each) for each in _HERE)
    local = address == "localhost" or address.endswith(".localhost")
    # What a name leads to is seen by the proxy alone; in a Pod such a port is hardly meant.
    return local or not settings.standalone


def not_own(endpoints: tuple[Endpoint, ...], settings: Settings) -> tuple[Endpoint, ...]:
    """Those that are not our own places."""
    closed = settings.closed_ports
    if not any(each.port in closed or not each.port for each in endpoints):
        return endpoints  # a socket has no port
    return tuple(each for each in endpoints if not is_own(each.address, each.port, settings))


def outside(cidr: str, port: int, settings: Settings) -> tuple[str, ...]:
    """What is left of an address or range where the places at a port that are our own are out."""
    if port not in settings.closed_ports:
        return (cidr,)
    left: list[IPv4Network | IPv6Network] = [ip_network(cidr)]
    for each in _HERE:
        own = ip_network(each)
        left = [part for network in left for part in _without(network, own)]
    ordered = sorted(left, key=lambda each: (each.version, int(each.network_address)))
    found = (canonical(str(each)) for each in ordered)
    return tuple(each for each in found if each)


def _without(
    network: IPv4Network | IPv6Network, own: IPv4Network | IPv6Network
) -> Iterable[IPv4Network | IPv6Network]:
    if isinstance(network, IPv4Network) and isinstance(own, IPv4Network):
        return _parts(network, own)
    if isinstance(network, IPv6Network) and isinstance(own, IPv6Network):
        return _parts(network, own)
    return (network,)


def _parts(network: _Network, own: _Network) -> Iterable[_Network]:
    if network.subnet_of(own):
        return ()
    return network.address_exclude(own) if own.subnet_of(network) else (network,)
