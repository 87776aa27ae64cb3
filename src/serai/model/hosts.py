"""Which services a host means: who has it by name or by a wildcard, who comes first, who merges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from serai.api.meta import Key
from serai.model.service import Backend, BackendKey, Resolution, Service, backends

MERGEABLE = frozenset({Resolution.KNOWN, Resolution.DNS, Resolution.DNS_ROUND_ROBIN})
"""Resolutions whose endpoints are listed, so that those of several objects can be one list."""

_SERVICE_RANK = 0


def patterns(host: str) -> Iterator[str]:
    """The host itself, then the wildcards that cover it, the longest first; ``*`` comes last."""
    yield host
    rest = host
    while rest:
        _, _, rest = rest.partition(".")
        if rest and f"*.{rest}" != host:
            yield f"*.{rest}"
    if host != "*":
        yield "*"


def ranked(services: Iterable[Service], namespace: str) -> list[Service]:
    """Services with one host, the one it means to objects of a namespace first.

    A Kubernetes Service owns its name: where there is one, nothing else has it.  Of entries those
    of the namespace itself come before others; then the oldest.
    """
    found = list(services)
    owned = [each for each in found if each.rank == _SERVICE_RANK]
    return sorted(
        owned or found, key=lambda each: (each.key.namespace != namespace, each.precedence)
    )


def is_owned(services: Iterable[Service]) -> bool:
    """Whether one of them is a Kubernetes Service, whose name no ServiceEntry can take."""
    return any(each.rank == _SERVICE_RANK for each in services)


def siblings(service: Service, services: Iterable[Service]) -> list[Service]:
    """Of services with one host, those whose endpoints are one with a service's, the first first.

    Istio: ServiceEntries of one namespace and host merge.  A Kubernetes Service merges with none.
    """
    if service.rank == _SERVICE_RANK:
        return [service]
    same = (service.key.namespace, service.rank)
    found = [each for each in services if (each.key.namespace, each.rank) == same]
    return sorted(found, key=lambda each: each.precedence)


def merged_backends(
    service: Service, sharing: Sequence[tuple[str, Sequence[Service]]]
) -> Iterator[Backend]:
    """One backend for each host and port of a service, with what else its endpoints come from.

    `sharing` has, for each host, the services that have it, this one among them.  The first of
    those that merge decides how the addresses become known, and which are preferred.
    """
    by_host = dict(sharing)
    for backend in backends(service):
        listed = siblings(service, by_host.get(backend.key.host, ()))
        parts = tuple(_parts(listed, backend.key))
        if len(parts) > 1 and backend.resolution in MERGEABLE:
            first = parts[0]
            yield replace(
                backend,
                resolution=first.resolution,
                parts=parts,
                distribution=first.distribution,
            )
        else:
            yield backend


def _parts(services: Iterable[Service], key: BackendKey) -> Iterator[Backend]:
    for each in services:
        port = each.udp_port(key.port) if key.udp else each.port(key.port)
        if port is not None and each.resolution in MERGEABLE and key.host in each.hosts:
            own = each.backend(key.host, port)
            yield Backend(own, port, each.resolution, each.members, distribution=each.distribution)


def merges_with(first: Service, second: Service, host: str, port: int) -> bool:
    """Whether two services' endpoints for a host and port are one list."""
    alike = siblings(first, (first, second))
    keys: list[Key] = [
        part.key.service for part in _parts(alike, BackendKey(first.key, host, port))
    ]
    return first.key in keys and second.key in keys
