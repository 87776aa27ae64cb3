"""The Gateway API's XBackend -> model.Service, which only routes send to."""

from __future__ import annotations

from serai.api.xbackend import XBackend
from serai.model.protocol import Protocol
from serai.model.service import Inline, Resolution, Service, ServicePort
from serai.model.workload import labelled

_PROTOCOLS = {
    "TCP": Protocol.TCP,
    "HTTP2": Protocol.HTTP2,
    "H2C": Protocol.HTTP2,
    "GRPC": Protocol.GRPC,
}
"""All others are HTTP/1.1, as MCP is, which rides on it."""


def service_from_xbackend(backend: XBackend) -> Service:
    """An XBackend as routes see it: a name that Envoy looks up."""
    meta, spec = backend.metadata, backend.spec
    host = spec.external_hostname.hostname if spec.external_hostname else ""
    spoken = _PROTOCOLS.get(spec.protocol or "", Protocol.HTTP)
    return Service(
        key=backend.key,
        hosts=(host.lower(),),
        addresses=(),
        ports=(ServicePort(spec.port.port, spec.port.name, spoken),),
        resolution=Resolution.DNS,
        members=Inline(),
        labels=labelled(meta.labels),
        created=meta.creation_timestamp or "",
        exported_to=(".",),
        in_mesh=False,
        tls=None if spec.tls is None or spec.tls.mode == "None" else spec.tls,
    )
