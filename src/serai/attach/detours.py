"""Backends that gateways reach through a waypoint.  Istio: istio.io/ingress-use-waypoint."""

from __future__ import annotations

from serai.api.meta import Key
from serai.attach.capture import Capture
from serai.attach.gateways import Proxy
from serai.incremental import Derived, Graph, Node, Reader, mapped
from serai.ir.origin import Value
from serai.model.addresses import is_range, with_port
from serai.model.catalog import Catalog
from serai.model.service import Backend, BackendKey, Resolution, Service


class Detour(Value, frozen=True):
    """What a gateway asks a waypoint for, in place of an endpoint."""

    waypoint: Key
    authority: str
    """``address:port`` of a VIP; of what has none ``host:port``."""
    http: bool
    http2: bool


def detours(
    graph: Graph, catalog: Catalog, captures: Node[Key, Capture], proxies: Node[Key, Proxy]
) -> Derived[BackendKey, Detour]:
    """The backends to which gateways go through the waypoint that has captured them.

    They do where a label asks for it, and the waypoint takes HBONE: another way needs a ztunnel
    beside the gateway.
    """

    def detour(reader: Reader, key: BackendKey, backend: Backend) -> Detour | None:
        capture = reader.get(captures, key.service)
        if capture is None or not capture.ingress or not capture.bound_to:
            return None
        service = reader.get(catalog.services, key.service)
        proxy = reader.get(proxies, capture.bound_to)
        authority = _authority(service, key) if service else ""
        if proxy is None or not proxy.hears_names or not authority:
            return None
        protocol = backend.port.protocol
        return Detour(capture.bound_to, authority, protocol.is_http, protocol.is_http2)

    return mapped(graph, "detours", catalog.backends, detour)


def _authority(service: Service, key: BackendKey) -> str:
    if service.resolution is Resolution.NONE:
        return ""  # its callers have resolved it, and a gateway's have not
    vips = [
        each.cidr
        for each in service.addresses
        if each.host in {"", key.host} and not is_range(each.cidr)
    ]
    if vips:
        return with_port(vips[0], key.port)
    return "" if "*" in key.host else with_port(key.host, key.port)
