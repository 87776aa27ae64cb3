"""SER04: hosts that several objects have, told on each of them with what follows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from serai.api.meta import Key
from serai.api.problem import Problem
from serai.check.problems import ProblemKey, keyed
from serai.incremental import Derived, Graph, Reader
from serai.model.hosts import is_owned, merges_with, ranked, siblings
from serai.model.service import Inline, Service
from serai.translate.collections import Attached

_SHOWN = 3


def host_problems(graph: Graph, attached: Attached) -> Derived[ProblemKey, Problem]:
    """What becomes of each host that several services have."""
    catalog = attached.catalog

    def rows(
        reader: Reader, host: str, keys: Sequence[Key]
    ) -> Iterator[tuple[ProblemKey, Problem]]:
        if len(keys) == 1:
            return  # nearly all: not even read
        found = [each for key in keys if (each := reader.get(catalog.services, key))]
        if len(found) > 1:
            yield from (keyed(problem) for problem in _of_host(host, found))

    return Derived(graph, "problems of hosts", catalog.services_by_host, rows)


def _of_host(host: str, services: list[Service]) -> Iterator[Problem]:
    owner = ranked(services, "")[0]
    entries = [each for each in services if each.rank != owner.rank and not _adds(each, owner)]
    if is_owned(services):
        yield from (_owned(host, each, owner) for each in entries)
        if entries:
            yield _owning(host, owner, entries)
        return
    for each in services:
        alike = [other for other in siblings(each, services) if other is not each]
        if alike:
            yield _merged(host, each, alike)
        others = [other for other in services if _rivals(each, other)]
        if others:
            yield _shared(host, each, others)


def _adds(entry: Service, owner: Service) -> bool:
    """Whether all that an entry is for is to say who the endpoints of a Service may be.

    Istio: ServiceEntry, subjectAltNames of an entry with a Service's host.
    """
    only_names = bool(entry.subject_alt_names) and entry.members == Inline()
    return only_names and entry.key.namespace == owner.key.namespace


def _rivals(one: Service, other: Service) -> bool:
    """Whether some namespace sees both, and they are of different namespaces."""
    if one.key.namespace == other.key.namespace:
        return False
    seen, also = _seen_from(one), _seen_from(other)
    everywhere = ("*" in seen and also) or ("*" in also and seen)
    return bool(everywhere or seen & also)


def _seen_from(service: Service) -> set[str]:
    own = {".": service.key.namespace}
    return {own.get(each, each) for each in service.exported_to} - {"~"}


def _owned(host: str, entry: Service, owner: Service) -> Problem:
    return Problem(
        code="SER0401",
        severity="error",
        message=f"host {host} is the name of {owner.key}, which keeps it: whoever refers to that"
        " host gets the Service, never this entry. The entry's own addresses still lead to its own"
        " endpoints",
        remedy="Give it a host of its own, or remove that one.",
        key=entry.key,
        path=_path(entry, host),
    )


def _owning(host: str, owner: Service, entries: list[Service]) -> Problem:
    return Problem(
        code="SER0402",
        severity="warning",
        message=f"{_listed(entries)} {_claims(entries)} this Service's name {host}. The Service"
        " keeps it; nothing of its own traffic changes",
        remedy="Nothing here; the entry needs a host of its own.",
        key=owner.key,
        path=host,
    )


def _merged(host: str, entry: Service, alike: list[Service]) -> Problem:
    everyone = siblings(entry, [entry, *alike])
    shared = [
        port.number
        for port in entry.ports
        if any(merges_with(entry, other, host, port.number) for other in alike)
    ]
    ports = ", ".join(map(str, shared))
    follows = (
        f"Their endpoints of port {ports} are one list, whichever of them is asked for"
        if shared
        else "They have no port in common, so that each serves its own"
    )
    return Problem(
        code="SER0403",
        severity="warning",
        message=f"host {host} is also one of {_listed(alike)} in this namespace. {follows};"
        f" {everyone[0].key} comes first (the oldest, then by name) where they disagree",
        remedy="Nothing if it is meant; else give each a host of its own, or write one object.",
        key=entry.key,
        path=_path(entry, host),
    )


def _shared(host: str, entry: Service, others: list[Service]) -> Problem:
    first = ranked([entry, *others], "")[0]
    who = "this one" if first is entry else str(first.key)
    return Problem(
        code="SER0404",
        severity="warning",
        message=f"host {host} is also one of {_listed(others)}. In a namespace with an entry of"
        f" its own the host means that one; elsewhere, where both are exported, it means {who},"
        " the oldest, then by name",
        remedy="Narrow spec.exportTo, so that each namespace sees one of them.",
        key=entry.key,
        path=_path(entry, host),
    )


def _path(service: Service, host: str) -> str:
    return f"spec.hosts[{service.hosts.index(host)}]" if host in service.hosts else host


def _listed(services: Iterable[Service]) -> str:
    named = [str(each.key) for each in sorted(services, key=lambda each: each.precedence)]
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    return ", ".join(named[:_SHOWN]) + more


def _claims(services: list[Service]) -> str:
    return "claims" if len(services) == 1 else "claim"
