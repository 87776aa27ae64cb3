"""Networks: which is ours, and where others are entered.

Workloads of one network reach each other by their addresses; those of another are reached through
its east-west gateway.  Istio: topology.istio.io/network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec.structs import replace

from serai.api.core import Namespace
from serai.api.gateway import Gateway
from serai.api.meta import Key
from serai.incremental import Derived, Graph, Index, Node, Reader, Union
from serai.ir.cluster import Endpoint, Health, Locality, Through
from serai.ir.distribution import NETWORK
from serai.ir.origin import Value
from serai.model.addresses import is_ip, with_port
from serai.model.others import OtherGateway
from serai.model.service import BackendKey
from serai.model.settings import Settings

EAST_WEST, ELSEWHERE = "istio-east-west", "istio-remote"
"""The classes of Gateways that are a network's entrance: where they run, and told of elsewhere."""
HBONE = "HBONE"

OWN = "own"
"""The key of our own network."""


class Entrance(Value, frozen=True, order=True):
    """Where a network is entered by tunnels."""

    network: str
    address: str
    port: int


class Networks(msgspec.Struct, frozen=True):
    """All that is known of networks."""

    own: Node[str, str]
    """Under OWN: the network of this cluster; no row where nothing says it."""
    entrances: Node[tuple[Key, str], Entrance]
    by_network: Index[str, tuple[Key, str]]
    many: Index[str, tuple[Key, str]]
    """Under OWN: all of them."""

    def found(self, reader: Reader, network: str) -> tuple[Entrance, ...]:
        """Where a network is entered, sorted."""
        known = reader.rows(self.by_network, network, self.entrances)
        return tuple(sorted({entrance for _, entrance in known}))

    def apart(self, reader: Reader) -> bool:
        """Whether there are networks to be told apart at all."""
        return reader.get(self.own, OWN) is not None or bool(reader.members(self.many, OWN))


def own_network(
    graph: Graph, namespaces: Node[Key, Namespace], settings: Settings
) -> Derived[str, str]:
    """What the label of Istio's own namespace says, under OWN."""

    def network(_: Reader, key: Key, namespace: Namespace) -> Iterator[tuple[str, str]]:
        found = namespace.metadata.labels.get(NETWORK, "")
        if key.name == settings.root_namespace and found:
            yield OWN, found

    return Derived(graph, "own network", namespaces, network)


def entrances(gateway: Gateway, class_name: str) -> Iterator[Entrance]:
    """Where a Gateway of a class lets tunnels into the network that its label names."""
    network = gateway.metadata.labels.get(NETWORK, "")
    if not network or gateway.spec.gateway_class_name != class_name:
        return
    ports = [each.port for each in gateway.spec.listeners if each.protocol == HBONE]
    given = gateway.status.addresses or gateway.spec.addresses
    for each in dict.fromkeys(each.value for each in given):
        if ports and is_ip(each):
            yield Entrance(network, each, ports[0])


def tells_of_network(gateway: Gateway) -> bool:
    """Whether a Gateway is there to say where another network is entered, and serves nothing."""
    return NETWORK in gateway.metadata.labels and gateway.spec.gateway_class_name == ELSEWHERE


def networks(
    graph: Graph,
    own: Node[str, str],
    gateways: Node[Key, Gateway],
    others: Node[OtherGateway, tuple[Entrance, ...]],
) -> Networks:
    """What is known by Gateways here and by those of other clusters."""

    def here(_: Reader, key: Key, gateway: Gateway) -> Iterator[tuple[tuple[Key, str], Entrance]]:
        for each in entrances(gateway, ELSEWHERE):
            yield (key, each.address), each

    def there(
        _: Reader, key: OtherGateway, found: tuple[Entrance, ...]
    ) -> Iterator[tuple[tuple[Key, str], Entrance]]:
        for each in found:
            yield (key.gateway._replace(kind=key.cluster), each.address), each

    parts = (
        Derived(graph, "entrances told of here", gateways, here),
        Derived(graph, "entrances of other clusters", others, there),
    )
    found = Union(graph, "entrances", parts)
    by_network: Index[str, tuple[Key, str]] = Index(
        graph, "entrances by network", found, lambda _, entrance: (entrance.network,)
    )
    many: Index[str, tuple[Key, str]] = Index(graph, "all entrances", found, lambda *_: (OWN,))
    return Networks(own, found, by_network, many)


class Reaching:
    """How endpoints are reached from our own network."""

    def __init__(self, known: Networks, settings: Settings) -> None:
        self._known = known
        self._settings = settings

    def reached(
        self, reader: Reader, key: BackendKey, endpoints: Sequence[Endpoint]
    ) -> tuple[Endpoint, ...]:
        """Those of our own network as they are, of each other one its entrances in their place.

        What says no network is in ours.
        """
        own, default = self.own(reader), self._default(reader)
        if not any(each.network or each.cluster for each in endpoints) and not default:
            return tuple(endpoints)
        direct: list[Endpoint] = []
        behind: dict[tuple[str, str, Locality], list[Endpoint]] = {}
        for each in endpoints:
            if not each.network:
                direct.append(replace(each, network=default) if default else each)
            elif each.network == own:
                direct.append(each)
            elif self._known.found(reader, each.network):
                place = (each.network, each.cluster, each.locality)
                behind.setdefault(place, []).append(each)
            elif each.address and not (own and each.cluster):
                direct.append(each)
        for (network, *_), members in sorted(behind.items()):
            direct += _through(members, self._known.found(reader, network), key)
        return tuple(each for each in direct if each.address)

    def own(self, reader: Reader) -> str:
        """Our own network; empty if nothing says it."""
        return reader.get(self._known.own, OWN) or self._settings.network

    def _default(self, reader: Reader) -> str:
        """The network of what does not say one, where that can be told: of a whole cluster."""
        said = "" if self._settings.standalone else self._settings.network
        return reader.get(self._known.own, OWN) or said


def _through(
    members: list[Endpoint], ways: Iterable[Entrance], key: BackendKey
) -> Iterator[Endpoint]:
    """A network's entrances in place of the endpoints of one place in it that take tunnels."""
    able = [each for each in members if each.in_mesh or not each.address]
    healthy = [each for each in able if each.health is Health.HEALTHY]
    if not able:
        return
    listed = list(ways)
    weight = sum(each.weight for each in healthy or able)
    known = all(each.identity for each in able)
    identities = tuple(sorted({each.identity for each in able})) if known else ()
    shared = set.intersection(*({*each.labels} for each in able))
    for each in listed:
        yield replace(
            able[0],
            address=each.address,
            port=each.port,
            weight=max(1, round(weight / len(listed))),
            health=Health.HEALTHY if healthy else Health.UNHEALTHY,
            identity="",
            node="",
            labels=tuple(sorted(shared)),
            in_mesh=True,
            through=Through(with_port(key.host, key.port), identities, len(able)),
        )
