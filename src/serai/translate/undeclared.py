"""Ports that do not say what they speak: HTTP or not is seen from a connection's first bytes.

The waypoint's own listeners cannot wait for them: they would on every connection, also where the
server speaks first.  So such a port is sent through a listener inside the proxy that does, and
that gives up waiting soon.

Istio: automatic protocol selection.
"""

from __future__ import annotations

from collections.abc import Iterator

from serai.attach.frontends import Frontend, FrontendKey
from serai.incremental import Derived, Graph, Reader
from serai.ir.listener import Listener, NamedRoutes, TcpForward
from serai.ir.origin import Origin
from serai.ir.route import WeightedCluster
from serai.translate import names
from serai.translate.chains import asked_of, forward
from serai.translate.collections import Attached, Named
from serai.translate.listener_policies import of_chain


def undeclared_listeners(graph: Graph, attached: Attached) -> Derived[Named, Listener]:
    """The internal listener of each captured port that does not say what it speaks."""

    def rows(
        reader: Reader, key: FrontendKey, frontend: Frontend
    ) -> Iterator[tuple[Named, Listener]]:
        if not frontend.port.protocol.is_undeclared:
            return
        name = names.undeclared(key)
        listener = Listener(
            name=name,
            addresses=(),
            port=0,
            default=forward(reader, attached, frontend),
            origin=Origin(key.service),
            tunnelled=True,
            requests=NamedRoutes(names.frontend(key, http=True), destined=key.tunnels),
            settings=of_chain(asked_of(reader, attached, key.waypoint), http=True),
        )
        yield Named(key.waypoint, name), listener

    return Derived(graph, "listeners of undeclared ports", attached.frontends, rows)


def inspected(reader: Reader, attached: Attached, frontend: Frontend) -> TcpForward:
    """Where the bytes of a port that is not HTTP go first: to such a listener, or out."""
    if frontend.port.protocol.is_undeclared:
        inwards = (WeightedCluster(names.undeclared(frontend.key)),)
        return TcpForward(inwards, relayed=True)
    return forward(reader, attached, frontend)
