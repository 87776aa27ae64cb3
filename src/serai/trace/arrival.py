"""How a request comes to a proxy: what captured it, and who the caller is taken for."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from serai.attach.frontends import Binding
from serai.ir.origin import Origin
from serai.model.addresses import is_ip, with_port
from serai.trace.outcome import Other, Step
from serai.trace.request import Destination, TraceRequest
from serai.trace.view import ProxyView


def arrival(view: ProxyView, request: TraceRequest) -> Step:
    """The first step: the way in."""
    match request.way:
        case Destination() as destination:
            return _captured(view, request, destination)
        case gateway:
            why = "a gateway's clients have no identity in the mesh"
            return Step("gateway", f"{view.name} port {gateway.port}", why, Origin(view.key))


def _captured(view: ProxyView, request: TraceRequest, way: Destination) -> Step:
    shown = with_port(way.address, way.port)
    found = f"{shown} -> waypoint {view.name} {_as(request, way)}"
    binding = owner(view, way)
    workload = view.workload(way.address)
    if binding is None and workload is not None:
        asked = view.attached.workloads.captures.row(workload.workload)
        why = f"its own address; {asked.because}" if asked else ""
        return Step("captured", found, why, Origin(workload.workload))
    if binding is None:
        return Step("captured", found, "no service of this waypoint has this address and port")
    service = binding.frontend.service
    capture = view.attached.captures.row(service)
    others = tuple(
        Other(str(each.service), f"claims {shown} too, but {service} comes first")
        for each in binding.losers
    )
    because = capture.because if capture else ""
    why = because if because.startswith(str(service)) else f"{service}: {because}"
    return Step("captured", found, why, Origin(service), others)


def owner(view: ProxyView, way: Destination) -> Binding | None:
    """Who owns an address and port at a waypoint: by itself, else by the longest range."""
    if not is_ip(way.address):
        return view.binding(way.address, way.port)
    address = ip_address(way.address)
    for bits in range(address.max_prefixlen, -1, -1):
        network = ip_network(f"{address}/{bits}", strict=False)
        cidr = str(address) if bits == address.max_prefixlen else str(network)
        binding = view.binding(cidr, way.port)
        if binding is not None:
            return binding
    return None


def _as(request: TraceRequest, way: Destination) -> str:
    if not way.proxied:
        return "(directly, without an identity)"
    return f"as {request.principal}" if request.principal else "(without an identity)"
