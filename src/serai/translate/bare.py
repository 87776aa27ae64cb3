"""Backends that speak TLS, and that nothing says how to begin it with.

A request sent there in plain HTTP fails in any case; so that a route says why, it does not send.
Gateway API: GEP-1911 (appProtocol), BackendTLSPolicy.
"""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.backend_policy import BackendTLSValidation
from serai.api.kgateway_backend import BackendConfigPolicySpec
from serai.incremental import Derived, Graph, Reader
from serai.model.catalog import Catalog
from serai.model.service import Backend, BackendKey
from serai.translate.cluster_policies import ClusterPolicies
from serai.translate.destination_rules import DestinationRules

_WRITTEN = frozenset({"Service", "ServiceEntry"})
"""Other kinds say of themselves how they are spoken to."""


def bare_backends(
    graph: Graph,
    catalog: Catalog,
    policies: ClusterPolicies,
    rules: DestinationRules,
) -> Derived[BackendKey, str]:
    """What is wrong with sending requests to a backend; those that are fine have no row.

    Any DestinationRule for the host will do: whether it begins TLS is for each client to see.
    """

    def rows(reader: Reader, key: BackendKey, backend: Backend) -> Iterator[tuple[BackendKey, str]]:
        if not backend.port.protocol.is_tls or key.service.kind not in _WRITTEN:
            return
        service = reader.get(catalog.services, key.service)
        if service is None or any(
            reader.members(rules.by_host, host) for host in rules.hosts(reader, key.host, service)
        ):
            return
        if not any(_begins_tls(each.spec) for each in policies.asked(reader, backend)):
            words = f"port {key.port} of {key.service} speaks TLS, and nothing says how to begin it"
            yield key, f"{words}: write a BackendTLSPolicy or a DestinationRule, or use a TLSRoute"

    return Derived(graph, "bare backends", catalog.backends, rows)


def _begins_tls(spec: object) -> bool:
    match spec:
        case BackendTLSValidation():
            return True
        case BackendConfigPolicySpec(tls=tls):
            return tls is not None
        case _:
            return False
