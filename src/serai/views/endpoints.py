"""Endpoints one by one: where each comes from, and whether it is used."""

from __future__ import annotations

from collections.abc import Iterator

from serai.model.service import Backend, Resolution
from serai.model.spiffe import spiffe_id
from serai.views.backends import order
from serai.views.health import RESOLVED, Heard, Opinion, joined
from serai.views.members import CALLER, HOST_NAME, Member, Members
from serai.views.preferences import Preference, Preferences
from serai.views.row import Row, locality_name, object_name
from serai.views.state import State

READY = "ready"


class EndpointRow(Row, frozen=True):
    """An endpoint of a backend, or what should be one and isn't."""

    namespace: str
    address: str
    """``ip:port``, or a name and a port; empty for a workload that has no address."""
    backend: str
    """The name of its Envoy cluster, or the service's where there is none."""
    service: str
    source: str
    """``Kind namespace/name`` of the object that it is; or ``inline``, or ``DNS``."""
    locality: str
    weight: int
    ready: bool
    status: str
    """``ready``, or why it is not used."""
    identity: str
    """Its SPIFFE identity, as far as a service account is written; else empty."""
    network: str = ""
    cluster: str = ""
    """The Kubernetes cluster that it runs in; empty: our own, as far as there are others."""
    health: str = ""
    """What is known of it here: ``healthy``, ``unhealthy`` or ``draining``; empty where only Envoy
    could tell."""
    priorities: tuple[Preference, ...] = ()
    """How soon clients send to it, 0 first: once for each place that clients are at."""
    envoys: tuple[Opinion, ...] = ()
    """What the Envoy of each Gateway that sends to it says; empty where nothing runs."""


def endpoint_rows(state: State) -> list[EndpointRow]:
    """Every endpoint of every backend, by backend."""
    members = Members(state.pipeline)
    listed = sorted(state.pipeline.attached.catalog.backends.items(), key=lambda each: order(*each))
    return [row for _, backend in listed for row in rows_of_backend(state, members, backend)]


def rows_of_backend(state: State, members: Members, backend: Backend) -> Iterator[EndpointRow]:
    """The endpoints of one backend."""
    heard, preferences = Heard(state, backend), Preferences(state, backend)
    if backend.resolution in RESOLVED:
        yield from _resolved(state, members, backend, heard, preferences)
        return
    for member in members.of(backend):
        address = joined(member.address, member.port)
        status = member.why or _status(heard, address)
        opinions = heard.opinions(address) if member.port or not member.why else ()
        yield _row(state, backend, member, address, status, opinions, preferences)


def _resolved(
    state: State, members: Members, backend: Backend, heard: Heard, preferences: Preferences
) -> Iterator[EndpointRow]:
    """The names of a backend; where an Envoy resolves them, what they came to."""
    for member in () if heard.by_address else members.of(backend):
        address = joined(member.address, member.port)
        status = member.why or ("no address found" if heard.anything else "resolved by Envoy")
        opinions = heard.opinions(address)
        yield _row(state, backend, member, address, status, opinions, preferences)
    source = CALLER if backend.resolution is Resolution.NONE else HOST_NAME
    name = Member("", 0, source, ready=True)
    for address in heard.by_address:
        status = _status(heard, address)
        yield _row(state, backend, name, address, status, heard.opinions(address), preferences)


def _row(
    state: State,
    backend: Backend,
    member: Member,
    address: str,
    status: str,
    opinions: tuple[Opinion, ...],
    preferences: Preferences,
) -> EndpointRow:
    service = object_name(backend.key.service)
    cluster = state.pipeline.attached.cluster_names.row(backend.key)
    return EndpointRow(
        namespace=backend.key.service.namespace,
        address=address,
        backend=cluster or f"{service}:{backend.key.port}",
        service=service,
        source=member.source,
        locality=locality_name(member.locality),
        weight=member.weight,
        ready=status == READY,
        status=status,
        identity=_spiffe(state, member.identity),
        network=member.network,
        cluster=member.cluster,
        health=member.health,
        priorities=preferences.of(member.address, member.port),
        envoys=opinions,
    )


def _status(heard: Heard, address: str) -> str:
    sick = heard.sick(address)
    if sick is None:
        return READY
    return f"unhealthy: {sick.why}" if sick.why else "unhealthy"


def opinions_in_words(opinions: tuple[Opinion, ...]) -> str:
    """What Envoys say, once if they agree; ``-`` where none was asked that sends to it."""
    said = {each.words for each in opinions}
    if len(said) == 1:
        return said.pop()
    return ", ".join(f"{each.gateway} {each.words}" for each in opinions) or "-"


def _spiffe(state: State, identity: str) -> str:
    return spiffe_id(state.pipeline.settings.trust_domain, identity) if identity else ""
