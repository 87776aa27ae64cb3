"""Which endpoints stand behind a backend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter

import msgspec

from serai.api.core import EndpointSlice
from serai.api.meta import Key
from serai.incremental import Index, Node, Reader
from serai.ir.cluster import Endpoint, Health, Locality
from serai.model.addresses import is_ip, is_socket
from serai.model.from_endpointslice import endpoints_from_slice
from serai.model.networks import Reaching
from serai.model.others import Others
from serai.model.service import (
    Backend,
    Inline,
    InlineEndpoint,
    Resolution,
    Selected,
    ServicePort,
    Slices,
    Written,
)
from serai.model.workload import SelectorKey, Workload

Selector = tuple[tuple[str, str], ...]


class EndpointLookup(msgspec.Struct, frozen=True, kw_only=True):
    """The collections that endpoints are found in."""

    workloads: Node[Key, Workload]
    by_selector: Index[SelectorKey, Key]
    slices: Node[Key, EndpointSlice]
    slices_of: Index[Key, Key]
    written: Node[Key, tuple[InlineEndpoint, ...]]
    localities: Node[str, Locality]
    others: Others | None = None
    """Other clusters."""
    reaching: Reaching | None = None
    """How other networks are reached."""
    with_unready: bool = False
    """Whether whoever joins what is found sorts it out."""

    def endpoints(self, reader: Reader, backend: Backend) -> tuple[Endpoint, ...]:
        """The endpoints of a backend, sorted; in a DNS cluster their addresses may be names.

        Unhealthy ones are among them only where the healthy ones' share would go elsewhere.
        Those on their way out never are, as in Istio: left out they finish what they have just
        the same, while as a part of the whole they would push traffic to farther endpoints.
        """
        parts = backend.parts or (backend,)
        listed = [each for part in parts for each in self._share(reader, backend, part)]
        if self.others is not None:
            elsewhere = self.others.endpoints(reader, backend)
            unready = self._takes_unready(backend)
            listed += [each for each in elsewhere if unready or each.health is Health.HEALTHY]
        if backend.resolution is Resolution.DNS_ROUND_ROBIN:
            # Envoy's logical DNS has one name only.  Istio keeps the first too.
            listed = listed[:1]
        plain = len(set(map(_where, listed))) == len(listed)
        found = tuple(sorted(listed, key=_where) if plain else sorted(set(listed), key=_order))
        reached = found
        if self.reaching is not None:
            reached = self.reaching.reached(reader, backend.key, found)
        if plain and reached == found:
            return found  # as mostly: nothing is there twice
        return tuple({_place(each): each for each in reached}.values())

    def _share(self, reader: Reader, backend: Backend, part: Backend) -> Iterator[Endpoint]:
        """What an object adds to a backend: a name only where names are resolved."""
        # Most have been looked at where they were found.
        looked_at = part.resolution is backend.resolution and not isinstance(part.members, Selected)
        any_address = looked_at or backend.resolution is not Resolution.KNOWN
        unready = self._takes_unready(backend)
        for each in self._find(reader, part):
            healthy = unready or each.health is Health.HEALTHY
            if healthy and (any_address or _is_known(each)):
                yield each

    def _takes_unready(self, backend: Backend) -> bool:
        """Whether what is not ready is to be known of, as a part of the whole."""
        ranked = backend.distribution is not None or self.with_unready
        return ranked and backend.resolution is Resolution.KNOWN

    def _find(self, reader: Reader, backend: Backend) -> Iterable[Endpoint]:
        namespace = backend.key.service.namespace
        match backend.members:
            case Inline(endpoints):
                return _inline(endpoints, backend)
            case Written():
                return _inline(reader.get(self.written, backend.key.service) or (), backend)
            case Selected(selector):
                workloads = self._select(reader, namespace, selector)
                return _of_workloads(workloads, backend.port, with_unready=False)
            case Slices(selector, with_unready):
                slices = reader.rows(self.slices_of, backend.key.service, self.slices)
                if slices:
                    return self._of_slices(reader, slices, backend.port)
                pods = (
                    workload
                    for workload in (self._select(reader, namespace, selector) if selector else ())
                    if workload.key.kind == "Pod"
                )
                return _of_workloads(pods, backend.port, with_unready=with_unready)

    def _of_slices(
        self, reader: Reader, slices: list[tuple[Key, EndpointSlice]], port: ServicePort
    ) -> Iterator[Endpoint]:
        for _, each in slices:
            yield from endpoints_from_slice(
                each,
                port,
                lambda node: reader.get(self.localities, node),
                lambda key: reader.get(self.workloads, key),
            )

    def _select(self, reader: Reader, namespace: str, selector: Selector) -> Iterator[Workload]:
        keys: list[SelectorKey] = [(namespace, *pair) for pair in selector]
        rarest = min(keys, key=self.by_selector.count, default=(namespace, "", ""))
        for _, workload in reader.rows(self.by_selector, rarest, self.workloads):
            if set(selector) <= set(workload.labels):
                yield workload


def _inline(endpoints: tuple[InlineEndpoint, ...], backend: Backend) -> Iterator[Endpoint]:
    port = backend.port
    if not endpoints and backend.resolution in {Resolution.DNS, Resolution.DNS_ROUND_ROBIN}:
        yield Endpoint(backend.key.host, port.target_number)
    for endpoint in endpoints:
        named = backend.resolution is not Resolution.KNOWN
        if is_socket(endpoint.address) and not named:
            yield _given(endpoint, 0, backend)
        elif (named and endpoint.address) or is_ip(endpoint.address) or _is_behind(endpoint):
            number = dict(endpoint.ports).get(port.name) or port.target_number
            yield _given(endpoint, number, backend)


def _is_known(endpoint: Endpoint) -> bool:
    """Whether it can be sent to without looking a name up."""
    if not endpoint.address:
        return bool(endpoint.network)
    return is_ip(endpoint.address) or is_socket(endpoint.address)


def _is_behind(endpoint: InlineEndpoint | Workload) -> bool:
    """Whether only an entrance of its network leads there."""
    has_address = bool(
        endpoint.address if isinstance(endpoint, InlineEndpoint) else endpoint.addresses
    )
    return bool(endpoint.network) and not has_address


def _given(endpoint: InlineEndpoint, number: int, backend: Backend) -> Endpoint:
    namespace, account = backend.key.service.namespace, endpoint.service_account
    return Endpoint(
        endpoint.address,
        number,
        endpoint.weight,
        endpoint.locality,
        identity=f"{namespace}/{account}" if account else "",
        network=endpoint.network,
        labels=endpoint.labels,
        in_mesh=endpoint.in_mesh,
    )


def _of_workloads(
    workloads: Iterable[Workload], port: ServicePort, *, with_unready: bool
) -> Iterator[Endpoint]:
    for workload in workloads:
        if workload.health is Health.DRAINING:
            continue
        number = _workload_port(workload, port)
        health = Health.HEALTHY if with_unready else workload.health
        behind = ("",) if _is_behind(workload) else ()
        for address in (workload.addresses or behind) if number else ():
            if not is_socket(address):
                yield Endpoint(
                    address,
                    number,
                    workload.weight,
                    workload.locality,
                    health=health,
                    identity=workload.identity,
                    network=workload.network,
                    node=workload.node,
                    labels=workload.labels,
                    in_mesh=workload.in_mesh,
                )


def _workload_port(workload: Workload, port: ServicePort) -> int:
    """The port of a workload that a service's port means; 0 if the workload has no such port."""
    named = dict(workload.named_ports)
    if isinstance(port.target, str):
        return named.get(port.target, 0)
    if port.named_by_workload:
        declared = dict(workload.declared_ports).get(port.name)
        if declared is not None:
            return declared
        if port.target is None and port.name in named:
            return named[port.name]
    return port.target or port.number


_where = attrgetter("address", "port")


def _place(endpoint: Endpoint) -> tuple[object, ...]:
    """Two are one that are at one place.  Addresses of another network may be those of this one."""
    if endpoint.through is None:
        return endpoint.address, endpoint.port
    return endpoint.address, endpoint.port, endpoint.network, endpoint.cluster, endpoint.locality


def _order(endpoint: Endpoint) -> tuple[object, ...]:
    """By address; of several that say different things of one address the last is taken.

    What our own cluster says comes after what others do.
    """
    return (
        endpoint.address,
        endpoint.port,
        not endpoint.cluster,
        endpoint.health is Health.HEALTHY,
        endpoint.weight,
        endpoint.locality,
        endpoint.identity,
        endpoint.network,
        endpoint.node,
        endpoint.labels,
        endpoint.in_mesh,
        endpoint.cluster,
    )
