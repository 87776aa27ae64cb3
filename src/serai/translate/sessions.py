"""Sessions that are kept for services, whoever routes to them.  Gateway API: GEP-1619.

A route's own sessionPersistence comes first.
"""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.backend_policy import XBackendTrafficPolicySpec
from serai.incremental import Derived, Graph, Reader
from serai.ir.route import Session
from serai.model.catalog import Catalog
from serai.model.service import Backend, BackendKey
from serai.translate.cluster_policies import ClusterPolicies
from serai.translate.session import session


def backend_sessions(
    graph: Graph, catalog: Catalog, policies: ClusterPolicies
) -> Derived[BackendKey, Session]:
    """The session that the first policy for a backend asks for; backends without have no row."""

    def rows(
        reader: Reader, key: BackendKey, backend: Backend
    ) -> Iterator[tuple[BackendKey, Session]]:
        for asked in policies.asked(reader, backend):
            spec = asked.spec
            if isinstance(spec, XBackendTrafficPolicySpec) and spec.session_persistence:
                found, _ = session(asked.policy, "", spec.session_persistence)
                yield key, found
                return

    return Derived(graph, "sessions of backends", catalog.backends, rows)
