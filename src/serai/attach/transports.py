"""How a waypoint's clients come to it: by HBONE, or by the PROXY protocol from a ztunnel beside it.

What a Gateway says itself comes first: its annotation ambient.istio.io/waypoint-inbound-binding,
then its listeners; then the annotation of its class; then the class's name.
"""

from __future__ import annotations

from serai.api.gateway import Gateway, GatewayClass
from serai.ir.origin import Value
from serai.model.settings import Settings

INBOUND_BINDING = "ambient.istio.io/waypoint-inbound-binding"
PROXY = "istio.io/PROXY"
HBONE = "HBONE"

_BY_HBONE = frozenset({"istio-waypoint"})
"""Classes whose waypoints have no ztunnel in front of them."""


class Transport(Value, frozen=True):
    """A protocol that carries a connection's destination and its caller's identity."""

    protocol: str
    """istio.io/PROXY or HBONE."""
    port: int


def transports(
    gateway: Gateway, gateway_class: GatewayClass | None, settings: Settings
) -> tuple[Transport, ...]:
    """A waypoint's transports, by their ports, each port once.

    On one machine the PROXY protocol is always among them: it is on loopback, and what a client
    without certificates speaks.
    """
    default = Transport(PROXY, settings.proxy_port)
    written = tuple(
        Transport(each.protocol, each.port)
        for each in gateway.spec.listeners
        if each.protocol in {PROXY, HBONE}
    )
    bound = _bound(gateway.metadata.annotations.get(INBOUND_BINDING, ""), written, settings)
    of_class = gateway_class.metadata.annotations.get(INBOUND_BINDING, "") if gateway_class else ""
    found = bound or written or _bound(of_class, (), settings)
    if not found:
        by_hbone = gateway.spec.gateway_class_name in _BY_HBONE
        found = (Transport(HBONE, settings.hbone_port),) if by_hbone else (default,)
    if settings.standalone and all(each.protocol != PROXY for each in found):
        found = (*found, default)
    return tuple({each.port: each for each in reversed(found)}.values())[::-1]


def _bound(
    annotation: str, written: tuple[Transport, ...], settings: Settings
) -> tuple[Transport, ...]:
    """What the annotation says: PROXY or NONE, with or without a port; else nothing."""
    protocol, _, port = annotation.partition("/")
    named = {"PROXY": PROXY, "NONE": HBONE}.get(protocol)
    if named is None:
        return ()
    usual = settings.proxy_port if named == PROXY else settings.hbone_port
    listened = next((each.port for each in written if each.protocol == named), usual)
    return (Transport(named, int(port) if port.isdecimal() and int(port) else listened),)
