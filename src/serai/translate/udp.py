"""UDP listeners of a gateway -> listeners that send datagrams on, as the oldest UDPRoute says.

Without a route there is no listener, so that clients are told that nobody is there.
"""

from __future__ import annotations

from collections.abc import Iterator

from serai.attach.gateways import Role
from serai.attach.listeners import ListenerKey, ListenerState
from serai.incremental import Derived, Graph, Reader
from serai.ir.listener import Listener
from serai.translate import names
from serai.translate.collections import Attached, Named
from serai.translate.streams import streams


def udp_listeners(graph: Graph, attached: Attached) -> Derived[Named, Listener]:
    """The listener of each UDP port that a route is attached to."""

    def rows(
        reader: Reader, _: ListenerKey, state: ListenerState
    ) -> Iterator[tuple[Named, Listener]]:
        mine = state.role is Role.GATEWAY and state.listener.protocol == "UDP"
        if not mine or not state.accepted.ok:
            return
        found = reader.get(attached.addresses, state.gateway)
        addresses = (attached.settings.bind,) if found is None else found
        if not addresses:  # none of those that it asks for can be had
            return
        for stream in streams(reader, attached, state):
            port = state.listener.port
            name = names.udp_listener(port)
            yield (
                Named(state.gateway, name),
                Listener(name, addresses, port, stream.forward, stream.origin, udp=True),
            )

    return Derived(graph, "udp listeners", attached.listeners, rows)
