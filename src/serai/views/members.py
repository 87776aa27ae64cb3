"""Who stands behind a backend, and who should but doesn't: workloads, slices, inline endpoints."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.core import EndpointSlice
from serai.api.meta import Key
from serai.ir.cluster import Endpoint, Health, Locality
from serai.ir.origin import Value
from serai.model.addresses import canonical, is_ip
from serai.model.from_endpointslice import SERVICE_NAME, health_of
from serai.model.service import (
    Backend,
    Inline,
    InlineEndpoint,
    Resolution,
    Selected,
    Slices,
    Written,
)
from serai.model.workload import SelectorKey, Workload, selector_keys
from serai.views.pipeline import Pipeline

INLINE = "inline"
HOST_NAME = "DNS"
NOT_READY = "not ready"
CALLER = "caller"
"""It is where the caller was connecting to."""


class Member(Value, frozen=True):
    """An endpoint, or something that is none for the reason in `why`."""

    address: str
    port: int
    """0 where it is no endpoint."""
    source: str
    """The object it comes from, as ``Kind namespace/name``; or INLINE, or HOST_NAME."""
    ready: bool
    locality: Locality = Locality()
    weight: int = 1
    why: str = ""
    identity: str = ""
    """``namespace/serviceaccount``, as far as it is written."""
    network: str = ""
    cluster: str = ""
    """Another Kubernetes cluster; empty: our own."""
    health: str = ""
    """What is known of it here; empty of a name, of which only Envoy could tell."""

    @property
    def kind(self) -> str:
        """The kind of its source."""
        return self.source.split(" ", maxsplit=1)[0]


class Members:
    """Finds the members of backends; made once for many of them."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._endpoints = pipeline.attached.catalog.endpoints
        self._written = pipeline.attached.catalog.written
        self._workloads: dict[SelectorKey, list[Workload]] = {}
        for key, workload in sorted(pipeline.attached.catalog.workloads.items()):
            for found in selector_keys(key, workload):
                self._workloads.setdefault(found, []).append(workload)
        self._slices: dict[Key, list[EndpointSlice]] = {}
        for key, each in sorted(pipeline.inputs.endpoint_slices.items()):
            service = each.metadata.labels.get(SERVICE_NAME, "")
            self._slices.setdefault(Key("Service", key.namespace, service), []).append(each)

    def of(self, backend: Backend) -> list[Member]:
        """The endpoints of a backend, then who is none."""
        listed = self._endpoints.row(backend.key) or ()
        used = tuple(each for each in listed if not _is_elsewhere(each))
        found = [_endpoint(each, _source(each)) for each in listed if _is_elsewhere(each)]
        reached = {unreachable(each.network) for each in listed if each.through}
        return [*(each for each in self._here(backend, used) if each.why not in reached), *found]

    def _here(self, backend: Backend, used: tuple[Endpoint, ...]) -> list[Member]:
        """Those of our own cluster and network."""
        if not backend.parts:
            return self._of(backend, used)
        found: list[Member] = []
        left = dict.fromkeys(used)
        for part in backend.parts:
            mine = tuple(each for each in left if self._gave(part, each))
            found += self._of(part, mine)
            for each in mine:
                del left[each]
        return found

    def _gave(self, part: Backend, endpoint: Endpoint) -> bool:
        """Whether one of several objects with a host is where an endpoint comes from."""
        match part.members:
            case Inline() | Written():
                listed = {each.address for each in self._given(part)} or {part.key.host}
                return endpoint.address in listed
            case Slices(selector) | Selected(selector):
                workloads = self._select(part.key.service.namespace, selector)
                return any(endpoint.address in each.addresses for each in workloads)

    def _of(self, backend: Backend, used: tuple[Endpoint, ...]) -> list[Member]:
        match backend.members:
            case Inline() | Written():
                dns = backend.resolution is not Resolution.KNOWN
                found = [_endpoint(each, HOST_NAME if dns else INLINE) for each in used]
                return [*found, *_elsewhere(self._given(backend))]
            case Slices() if slices := self._slices.get(backend.key.service):
                return list(_of_slices(used, slices))
            case Slices(selector) | Selected(selector):
                only_pods = isinstance(backend.members, Slices)
                workloads = self._select(backend.key.service.namespace, selector)
                return list(_of_workloads(used, workloads, backend.resolution, only_pods=only_pods))

    def _given(self, part: Backend) -> tuple[InlineEndpoint, ...]:
        """The endpoints that its object gives itself."""
        if isinstance(part.members, Inline):
            return part.members.endpoints
        return self._written.row(part.key.service) or ()

    def _select(self, namespace: str, selector: tuple[tuple[str, str], ...]) -> list[Workload]:
        if not selector:
            return []
        found = self._workloads.get((namespace, *selector[0]), ())
        return [each for each in found if set(selector) <= set(each.labels)]


def _is_elsewhere(endpoint: Endpoint) -> bool:
    return bool(endpoint.cluster) or endpoint.through is not None


def _source(endpoint: Endpoint) -> str:
    """Where an endpoint of another cluster or network comes from."""
    if endpoint.through is None:
        return f"cluster {endpoint.cluster}"
    return f"network {endpoint.network} ({endpoint.through.endpoints} behind it)"


def _endpoint(endpoint: Endpoint, source: str) -> Member:
    return Member(
        address=endpoint.address,
        port=endpoint.port,
        source=source,
        ready=endpoint.health is Health.HEALTHY,
        locality=endpoint.locality,
        weight=endpoint.weight,
        why="" if endpoint.health is Health.HEALTHY else NOT_READY,
        identity=endpoint.identity,
        network=endpoint.network,
        cluster=endpoint.cluster,
        health="" if source == HOST_NAME else endpoint.health,
    )


def _elsewhere(written: tuple[InlineEndpoint, ...]) -> Iterator[Member]:
    """Those that only a gateway of their network could reach."""
    for each in written:
        if each.network and not each.address:
            yield Member(
                address="",
                port=0,
                source=INLINE,
                ready=False,
                locality=each.locality,
                weight=each.weight,
                why=unreachable(each.network),
                network=each.network,
            )


def _of_slices(used: tuple[Endpoint, ...], slices: list[EndpointSlice]) -> Iterator[Member]:
    by_address: dict[str, tuple[str, Health]] = {}
    for each in slices:
        for listed in each.endpoints:
            for address in listed.addresses:
                found = (str(each.key), health_of(listed))
                by_address.setdefault(canonical(address) or address, found)
    for endpoint in used:
        source, _ = by_address.get(endpoint.address, ("EndpointSlice", endpoint.health))
        yield _endpoint(endpoint, source)
    present = {endpoint.address for endpoint in used}
    for address, (source, health) in by_address.items():
        if address not in present:
            why = "terminating" if health is Health.DRAINING else NOT_READY
            yield Member(address, 0, source, ready=False, why=why, health=health)


def _of_workloads(
    used: tuple[Endpoint, ...],
    workloads: list[Workload],
    resolution: Resolution,
    *,
    only_pods: bool,
) -> Iterator[Member]:
    candidates = [each for each in workloads if each.key.kind == "Pod" or not only_pods]
    owners = {address: each for each in reversed(candidates) for address in each.addresses}
    for endpoint in used:
        owner = owners.get(endpoint.address)
        yield _endpoint(endpoint, str(owner.key) if owner else INLINE)
    present = {endpoint.address for endpoint in used}
    for workload in candidates:
        if present.isdisjoint(workload.addresses):
            yield Member(
                address=next(iter(workload.addresses), ""),
                port=0,
                source=str(workload.key),
                ready=False,
                locality=workload.locality,
                weight=workload.weight,
                identity=workload.identity,
                why=_why_not(workload, resolution),
                network=workload.network,
                health=workload.health,
            )


def _why_not(workload: Workload, resolution: Resolution) -> str:
    if workload.terminating:
        return "terminating"
    if not workload.ready:
        return NOT_READY
    if resolution is Resolution.DNS_ROUND_ROBIN and workload.addresses:
        return "DNS_ROUND_ROBIN takes the first only"
    if workload.addresses:
        named = resolution is Resolution.KNOWN and not any(map(is_ip, workload.addresses))
        return "a name, which STATIC does not look up" if named else "has not the port"
    return unreachable(workload.network) if workload.network else "has no address"


def unreachable(network: str) -> str:
    """Why an endpoint without an address is not sent to."""
    return f"no gateway of network {network} is known"
