"""What routes must know of the backends that they send to."""

from __future__ import annotations

import msgspec

from serai.api.meta import Key
from serai.api.routes import REQUESTS
from serai.backends import Invalid
from serai.incremental import Graph, Node, Reader
from serai.ir.route import Session
from serai.model.catalog import Catalog
from serai.model.service import BackendKey
from serai.translate.bare import bare_backends
from serai.translate.cluster_policies import ClusterPolicies
from serai.translate.destination_rules import DestinationRules
from serai.translate.sessions import backend_sessions


class Sending(msgspec.Struct, frozen=True):
    """Whether sessions are kept for a backend, and whether requests can be sent there at all."""

    sessions: Node[BackendKey, Session]
    bare: Node[BackendKey, str]

    def refused(self, reader: Reader, route: Key, to: BackendKey) -> Invalid | None:
        """Why a route cannot send to a backend; None if it can."""
        why = reader.get(self.bare, to.whole) if route.kind in REQUESTS else None
        return Invalid("UnsupportedProtocol", why) if why else None


def sending(
    graph: Graph,
    catalog: Catalog,
    policies: ClusterPolicies,
    rules: DestinationRules,
) -> Sending:
    """Of every backend."""
    return Sending(
        backend_sessions(graph, catalog, policies),
        bare_backends(graph, catalog, policies, rules),
    )
