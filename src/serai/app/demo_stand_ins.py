"""Echo servers in place of the workloads of a folder."""

from __future__ import annotations

import socket
from ipaddress import ip_address

from serai.app.pipeline import Pipeline
from serai.echo.endpoint import EchoEndpoint, Identity
from serai.model.service import Backend


def stand_ins(pipeline: Pipeline) -> tuple[EchoEndpoint, ...]:
    """An echo endpoint for each endpoint on loopback, each said to be the workload it stands for.

    What is not on loopback is somebody else's and gets none.
    """
    catalog = pipeline.attached.catalog
    workloads = {
        (key.namespace, address): key.name
        for key, workload in sorted(catalog.workloads.items())
        for address in workload.addresses
    }
    found: dict[tuple[str, int], EchoEndpoint] = {}
    for key, endpoints in sorted(catalog.endpoints.items()):
        backend = catalog.backends.row(key)
        for endpoint in endpoints if backend else ():
            address = _on_loopback(endpoint.address)
            if address and backend:
                pod = workloads.get((key.service.namespace, address), "")
                found.setdefault(
                    (address, endpoint.port), _endpoint(backend, address, endpoint.port, pod)
                )
    return tuple(found.values())


def _endpoint(backend: Backend, address: str, port: int, pod: str) -> EchoEndpoint:
    service = backend.key.service
    return EchoEndpoint(
        address,
        port,
        Identity(pod or service.name, service.namespace, service.name),
        "http" if backend.port.protocol.is_http else "tcp",
    )


def _on_loopback(address: str) -> str:
    """The address, or that of a name; empty if it is not on loopback."""
    try:
        return str(address) if ip_address(address).is_loopback else ""
    except ValueError:
        pass
    if address != "localhost":  # other names would ask a resolver of somebody else's
        return ""
    found = socket.getaddrinfo(address, None, socket.AF_INET, socket.SOCK_STREAM)
    return str(found[0][4][0])
