"""kgateway's Backend -> model.Service, which only routes send to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from serai.api.kgateway_backend import Backend, StaticHost
from serai.ir.distribution import Failover
from serai.ir.origin import Value
from serai.model import protocol
from serai.model.addresses import canonical
from serai.model.protocol import Protocol
from serai.model.service import Inline, InlineEndpoint, Resolution, Service, ServicePort
from serai.model.workload import labelled

FindBackend = Callable[[str], Backend | None]
"""Another Backend of the namespace, by its name."""

_PORT = "backend"
_GROUP = "serai.dev/priority-group-"
_HTTP, _HTTPS = 80, 443


class Member(Value, frozen=True):
    """A Backend that a priority group names: its hosts, or why it has none."""

    group: int
    name: str
    hosts: tuple[StaticHost, ...] = ()
    fault: str = ""


def members_of(backend: Backend, find: FindBackend) -> tuple[Member, ...]:
    """What the priority groups of a Backend name, in order."""
    return tuple(
        _member(index, each.name, find)
        for index, group in enumerate(backend.spec.priority_groups)
        for each in group.backend_refs
    )


def _member(group: int, name: str, find: FindBackend) -> Member:
    found = find(name)
    if found is None:
        return Member(group, name, fault=f"Backend {name} does not exist")
    if found.spec.static is None:
        return Member(group, name, fault=f"Backend {name} is not static")
    return Member(group, name, found.spec.static.hosts)


def service_from_backend(backend: Backend, find: FindBackend) -> Service:
    """A Backend as routes see it; without ports where it is of a kind that is not supported."""
    spec = backend.spec
    if spec.static:
        return _static(backend, [(host, ()) for host in spec.static.hosts], None)
    if spec.priority_groups:
        return _grouped(backend, find)
    if spec.dynamic_forward_proxy:
        tls = bool(spec.dynamic_forward_proxy.enable_tls)
        port = ServicePort(_HTTPS if tls else _HTTP, _PORT, Protocol.HTTP)
        return _service(backend, "*", (port,), Resolution.DYNAMIC_DNS, Inline(), speaks_tls=tls)
    return _service(backend, "", (), Resolution.KNOWN, Inline())


def _grouped(backend: Backend, find: FindBackend) -> Service:
    """Each group's endpoints have one label less, from the end, than those of the group before."""
    found = members_of(backend, find)
    marks = [f"{_GROUP}{index}" for index in range(len(backend.spec.priority_groups) - 1)]
    hosts = [
        (host, tuple((mark, "yes") for mark in marks[: len(marks) - member.group]))
        for member in found
        for host in member.hosts
    ]
    failover = Failover(tuple(f"{mark}=yes" for mark in marks)) if marks else None
    return _static(backend, hosts, failover)


Labelled = tuple[StaticHost, tuple[tuple[str, str], ...]]


def _static(backend: Backend, hosts: Sequence[Labelled], failover: Failover | None) -> Service:
    endpoints = tuple(_endpoints(hosts))
    by_address = all(canonical(each.address) for each in endpoints)
    names = {host.host.lower() for host, _ in hosts if not canonical(host.host)}
    only = names.pop() if len(names) == 1 and len(hosts) == 1 else ""
    number = hosts[0][0].port if hosts else _HTTP
    written = backend.spec.static.app_protocol if backend.spec.static else None
    spoken = protocol.parse(written or "") or Protocol.HTTP
    return _service(
        backend,
        only,
        (ServicePort(number, _PORT, spoken),),
        Resolution.KNOWN if by_address else Resolution.DNS,
        Inline(endpoints),
        failover,
    )


def _endpoints(hosts: Sequence[Labelled]) -> Iterator[InlineEndpoint]:
    for host, labels in hosts:
        address = canonical(host.host) or host.host.lower()
        yield InlineEndpoint(address, ((_PORT, host.port),), labels=labels)


def _service(
    backend: Backend,
    host: str,
    ports: tuple[ServicePort, ...],
    resolution: Resolution,
    members: Inline,
    distribution: Failover | None = None,
    *,
    speaks_tls: bool = False,
) -> Service:
    meta = backend.metadata
    return Service(
        key=backend.key,
        hosts=(host,),
        addresses=(),
        ports=ports,
        resolution=resolution,
        members=members,
        labels=labelled(meta.labels),
        created=meta.creation_timestamp or "",
        exported_to=(".",),
        distribution=distribution,
        in_mesh=False,
        speaks_tls=speaks_tls,
    )
