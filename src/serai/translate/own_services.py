"""Clusters that lead to what Serai itself runs beside the proxies."""

from __future__ import annotations

from serai.api.meta import Key
from serai.incremental import Graph, Table
from serai.ir.cluster import Cluster, Discovery, Endpoint
from serai.ir.origin import Origin
from serai.model.addresses import SOCKET, is_ip, is_socket
from serai.model.rate_limits import OWN_CLUSTER
from serai.model.settings import Settings
from serai.translate import names


def own_services(graph: Graph, settings: Settings) -> Table[str, Cluster]:
    """The cluster of the rate limit service, if there is one."""
    found: Table[str, Cluster] = Table(graph, "own services")
    if settings.rate_limits_at:
        found.put(OWN_CLUSTER, _cluster(OWN_CLUSTER, settings.rate_limits_at))
    return found


def _cluster(name: str, at: str) -> Cluster:
    endpoint = _endpoint(at)
    given = is_socket(endpoint.address) or is_ip(endpoint.address)
    return Cluster(
        name=name,
        discovery=Discovery.INLINE if given else Discovery.DNS,
        origin=Origin(Key("Service", "", name)),
        alt_stat_name=names.stat_name(name),
        http=True,
        http2=True,
        dns_endpoints=(endpoint,),
    )


def _endpoint(at: str) -> Endpoint:
    if at.startswith(SOCKET):
        return Endpoint(at, 0)
    host, _, port = at.rpartition(":")
    return Endpoint(host.strip("[]"), int(port))
