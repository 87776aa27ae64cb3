"""TLS to hosts that are looked up as they are asked for: the name is that of the ClientHello.

Only HTTP filters can look a name up and compare the address found with what is refused.  So the
bytes go through two listeners inside the proxy: one reads the ClientHello and puts the bytes into
a CONNECT request for the host that it names, the other takes that request and looks the host up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from serai.incremental import Derived, Graph, Index, Reader
from serai.ir.listener import Connects, Listener, TcpForward, Tunnel
from serai.ir.origin import Origin
from serai.ir.route import WeightedCluster
from serai.model.service import BackendKey
from serai.translate import names
from serai.translate.clusters import Proxied, SenderKey
from serai.translate.collections import Attached, Named
from serai.translate.compiled import all_to


def look_up_listeners(
    graph: Graph, attached: Attached, demanded: Index[Proxied, SenderKey]
) -> Derived[Named, Listener]:
    """Both listeners of each backend that a proxy sends bytes to and that is looked up."""

    def rows(
        reader: Reader, key: Proxied, _: Sequence[SenderKey]
    ) -> Iterator[tuple[Named, Listener]]:
        if not key.cluster.startswith(names.HELLO):
            return
        for found in reader.members(attached.by_cluster, names.cluster_of(key.cluster)):
            to = _looked_up(reader, attached, found)
            if to is not None and to.cluster is not None:
                reads = _reading(key.cluster, to.cluster, Origin(found.service))
                looks = _looking(names.connects(to.cluster), to, Origin(found.service))
                yield Named(key.proxy, reads.name), reads
                yield Named(key.proxy, looks.name), looks

    return Derived(graph, "look-up listeners", demanded, rows)


def _looked_up(reader: Reader, attached: Attached, key: BackendKey) -> WeightedCluster | None:
    found = all_to(reader, attached.catalog, attached.cluster_names, key)
    return found if found is not None and found.look_up is not None else None


def _reading(name: str, cluster: str, origin: Origin) -> Listener:
    inwards = (WeightedCluster(names.connects(cluster)),)
    return Listener(name, (), 0, TcpForward(inwards, Tunnel.SERVER_NAME), origin)


def _looking(name: str, to: WeightedCluster, origin: Origin) -> Listener:
    return Listener(name, (), 0, Connects(to), origin)
