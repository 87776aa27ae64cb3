"""On which loopback address each Gateway's proxy listens when all run on one machine.

Two Gateways that listen on the same port cannot share an address, so each gets the first of
127.0.0.1, 127.0.0.2, ... where its ports are free.  A Gateway keeps what it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address

from serai.api.gateway import Gateway
from serai.api.meta import Key
from serai.attach.gateways import Proxy, Role
from serai.model.addresses import is_ip
from serai.model.settings import Settings

_MOST = 250


def place(
    proxies: Mapping[Key, Proxy],
    gateways: Mapping[Key, Gateway],
    listening: Mapping[Key, set[int]],
    settings: Settings,
    kept: Mapping[Key, tuple[str, ...]],
) -> dict[Key, tuple[str, ...]]:
    """The addresses of every Gateway, as canonical IP addresses.

    `listening` are the ports of each, `kept` is what was decided before.  What a Gateway asks
    for in spec.addresses comes first.
    """
    placed: dict[Key, tuple[str, ...]] = {}
    taking = {key: _ports(proxy, listening.get(key, set())) for key, proxy in proxies.items()}
    for key in sorted(proxies, key=lambda key: (key not in kept, age(gateways[key], key))):
        asked = _asked(gateways[key])
        if asked:
            placed[key] = asked
            continue
        ports = taking[key]
        taken = {
            address
            for other, addresses in placed.items()
            if ports & taking[other]
            for address in addresses
        }
        before = kept.get(key)
        usable = before is not None and not taken & set(before)
        placed[key] = before if before and usable else _first_free(proxies[key], settings, taken)
    return placed


def _asked(gateway: Gateway) -> tuple[str, ...]:
    wanted = (each.value for each in gateway.spec.addresses if each.type == "IPAddress")
    return tuple(dict.fromkeys(str(ip_address(each)) for each in wanted if is_ip(each)))


def _first_free(proxy: Proxy, settings: Settings, taken: set[str]) -> tuple[str, ...]:
    preferred = settings.proxy_bind if proxy.role is Role.WAYPOINT else (settings.bind,)
    if not taken & set(preferred):
        return preferred
    candidates: Iterable[str] = (f"127.0.0.{last}" for last in range(1, _MOST))
    return next(((each,) for each in candidates if each not in taken), preferred)


def _ports(proxy: Proxy, listening: set[int]) -> set[int]:
    if proxy.role is Role.WAYPOINT:
        return {each.port for each in proxy.transports}
    return listening


def age(gateway: Gateway | None, key: Key) -> tuple[str, Key]:
    """Sorts Gateways, the oldest first: of several that want one port it has it."""
    return (gateway.metadata.creation_timestamp if gateway else None) or "9999", key
