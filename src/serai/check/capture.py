"""SER05: services that ask for a waypoint and what hinders them."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.meta import Key
from serai.api.problem import Problem
from serai.attach.capture import Capture
from serai.attach.frontends import Binding, BindingKey
from serai.attach.gateways import Proxy
from serai.attach.workload_capture import TRAFFIC, WorkloadCapture
from serai.check.problems import ProblemKey, keyed
from serai.incremental import Derived, Graph, Reader
from serai.model.addresses import canonical, is_loopback, is_range
from serai.model.service import Resolution, Service
from serai.translate.collections import Attached

_CODES = {"WaypointIsNotReady": "SER0501", "UnsupportedTrafficType": "SER0502"}
_DENIED = "SER0507"
_SHOWN = 3


def capture_problems(graph: Graph, attached: Attached) -> Derived[ProblemKey, Problem]:
    """Services that are not captured though they ask for it, or captured in vain."""

    def rows(reader: Reader, key: Key, capture: Capture) -> Iterator[tuple[ProblemKey, Problem]]:
        if capture.waypoint is None:
            return
        if not capture.verdict.ok:
            yield keyed(_not_captured(key, capture))
            return
        service = reader.get(attached.catalog.services, key)
        if service is not None:
            proxy = reader.get(attached.proxies, capture.waypoint)
            named = bool(proxy and proxy.hears_names)
            if _is_out_of_reach(service, proxy):
                yield keyed(_by_endpoints_alone(key))
            found = _in_vain(service, named=named, standalone=attached.settings.standalone)
            yield from (keyed(problem) for problem in found)
            if capture.no_canary:
                yield keyed(_no_canary(key, capture))
            if capture.ingress and not named:
                yield keyed(_no_way_for_gateways(key, capture.waypoint))

    return Derived(graph, "problems of capture", attached.captures, rows)


def uncaptured_workloads(graph: Graph, attached: Attached) -> Derived[ProblemKey, Problem]:
    """Workloads whose own addresses are not captured though they ask for it."""

    def rows(_: Reader, key: Key, capture: WorkloadCapture) -> Iterator[tuple[ProblemKey, Problem]]:
        if not capture.verdict.ok:
            yield keyed(_not_captured(key, capture))

    return Derived(graph, "problems of workloads' capture", attached.workloads.captures, rows)


def _no_canary(key: Key, capture: Capture) -> Problem:
    return Problem(
        code="SER0513",
        severity="warning",
        message=f"its canary waypoint is not attached: {capture.no_canary}",
        remedy="Correct istio.io/use-waypoint-canary, its weight, or the Gateway it names; a share"
        " of the connections goes there as soon as a client of the mesh reads the label.",
        key=key,
    )


def _no_way_for_gateways(key: Key, waypoint: Key) -> Problem:
    return Problem(
        code="SER0512",
        severity="warning",
        message=f"gateways are to go through {waypoint} (istio.io/ingress-use-waypoint), which"
        " takes no HBONE, the only way that they have there; they go straight to the endpoints",
        remedy="Give the waypoint a listener of protocol HBONE, port 15008.",
        key=key,
    )


def _not_captured(key: Key, capture: Capture | WorkloadCapture) -> Problem:
    return Problem(
        code=_CODES.get(capture.verdict.reason, _DENIED),
        severity="warning",
        message=f"not captured: {capture.verdict.message}",
        remedy=f"{capture.because}: correct that label, or the Gateway it names.",
        key=key,
    )


def _is_out_of_reach(service: Service, proxy: Proxy | None) -> bool:
    """Whether clients would have to go by the endpoints' addresses and are not led here by them."""
    if service.addresses or service.resolution is not Resolution.KNOWN or proxy is None:
        return False
    return not proxy.hears_names and not proxy.serves(TRAFFIC)


def _by_endpoints_alone(key: Key) -> Problem:
    return Problem(
        code="SER0503",
        severity="warning",
        message="captured, but it has no address: clients go to its endpoints' own, which ztunnel"
        " sends to a waypoint for workloads alone",
        remedy="Give it an address (clusterIP, spec.addresses), label the waypoint"
        " istio.io/waypoint-for: all and its Pods for it, or give it a listener of protocol HBONE.",
        key=key,
    )


def _in_vain(service: Service, *, named: bool, standalone: bool) -> Iterator[Problem]:
    known = service.resolution is Resolution.KNOWN or (
        named and service.resolution is not Resolution.NONE
    )
    if not service.addresses and not known:
        yield Problem(
            code="SER0503",
            severity="warning",
            message="captured, but it has no address, so that no client can reach the waypoint by"
            " one; it can still be sent to by routes",
            remedy="Give it an address: clusterIP of a Service, spec.addresses of a ServiceEntry."
            " None is allocated to a headless Service, to resolution NONE, to a wildcard host that"
            " is not resolved by DYNAMIC_DNS, nor where a label or the settings forbid it.",
            key=service.key,
        )
    if service.resolution is Resolution.NONE and standalone:
        yield from _unbound(service)


def _unbound(service: Service) -> Iterator[Problem]:
    for address in service.addresses:
        if is_loopback(address.cidr) and not is_range(address.cidr):
            yield Problem(
                code="SER0509",
                severity="warning",
                message=f"address {address.cidr} lies on loopback and resolution is NONE, which"
                " sends every connection on to the address it came for: listening there would"
                " send it to the listener itself, so nothing does; only what comes by the PROXY"
                " protocol is served",
                remedy="Name the endpoints, with resolution STATIC.",
                key=service.key,
                path=f"spec.addresses {address.cidr}",
            )


def binding_problems(graph: Graph, attached: Attached) -> Derived[ProblemKey, Problem]:
    """Services whose address and port another one owns, and those that own them."""

    def rows(_: Reader, key: BindingKey, binding: Binding) -> Iterator[tuple[ProblemKey, Problem]]:
        if canonical(key.cidr) is None:
            return  # a host that two claim is told as such, whether it is captured or not
        winner = binding.frontend.service
        # Services without an address may well have endpoints in common.
        losers = (loser for loser in binding.losers if not loser.direct)
        others = sorted({loser.service for loser in losers} - {winner})
        yield from (keyed(_lost(key, winner, loser)) for loser in others)
        if others:
            yield keyed(_kept(key, winner, others))

    return Derived(graph, "problems of bindings", attached.bindings, rows)


def _lost(key: BindingKey, winner: Key, loser: Key) -> Problem:
    return Problem(
        code="SER0506",
        severity="error",
        message=f"address {key.cidr} port {key.port} belongs to {winner}, which comes first (a"
        " Service before a ServiceEntry, then the oldest, then by name); traffic to it goes there",
        remedy="Give one of the two another address or port.",
        key=loser,
        path=f"{key.cidr}:{key.port}",
    )


def _kept(key: BindingKey, winner: Key, others: list[Key]) -> Problem:
    claimants = ", ".join(str(each) for each in others[:_SHOWN])
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    return Problem(
        code="SER0405",
        severity="warning",
        message=f"address {key.cidr} port {key.port} is claimed by {claimants}{more} too. It stays"
        " with this one, which comes first (a Service before a ServiceEntry, then the oldest, then"
        " by name)",
        remedy="Give one of the two another address or port.",
        key=winner,
        path=f"{key.cidr}:{key.port}",
    )
