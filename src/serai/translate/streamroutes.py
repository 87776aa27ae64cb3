"""TCPRoute, TLSRoute and UDPRoute -> where connections go by weight."""

from __future__ import annotations

from msgspec.structs import replace

from serai.api.routes import hostnames_of
from serai.api.streamroutes import TCPRoute, TLSRoute, UDPRoute
from serai.backends import Invalid
from serai.ir.route import WeightedCluster
from serai.translate.rules import CompiledRoute, Resolve, resolved

_NOBODY = (WeightedCluster(None),)
"""Connections are closed."""


def compile_stream(route: TCPRoute | TLSRoute | UDPRoute, resolve: Resolve) -> CompiledRoute:
    """Compile the one rule; the share of a backend that is not there is closed."""
    clusters: list[WeightedCluster] = []
    invalid: list[tuple[str, Invalid]] = []
    for number, rule in enumerate(route.spec.rules):
        for index, ref in enumerate(rule.backend_refs):
            found = resolve(ref)
            if isinstance(found, Invalid):
                invalid.append((f"spec.rules[{number}].backendRefs[{index}]", found))
                found = WeightedCluster(None)
            if ref.weight:
                clusters.append(replace(found, weight=ref.weight))
    usable = any(each.cluster is not None for each in clusters)
    return CompiledRoute(
        resolved=resolved(invalid),
        invalid=tuple(invalid),
        clusters=tuple(clusters) if usable else _NOBODY,
        hostnames=hostnames_of(route),
        created=route.metadata.creation_timestamp or "",
    )
