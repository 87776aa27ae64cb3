"""The shape that peers give a waypoint: one listener with a filter chain for each captured port.

Istio's and kgateway's waypoints are made so: what belongs to a service lives in its own chain.
Everything else is what Serai sends: the same clusters, load assignments and route configurations,
to the same Envoy with the same bootstrap.  In its favour its chains have the router only, where
Serai's have every filter of the product: with those each would be 15 kB.
"""

from __future__ import annotations

from typing import Any

from bench.floor import Changes, Floor, Message, move
from bench.worlds import PORT, vip
from serai.proto.envoy import (
    FilterChain,
    HttpConnectionManager,
    Listener,
    Router,
    ScopedRouteConfiguration,
)
from serai.xds.encode.body import ADS, extension
from serai.xds.resource import Resource, ResourceKey, ResourceType

NAME = "proxy_protocol_inbound"
MANAGER = "envoy.filters.network.http_connection_manager"
_CHAINS = Listener(filter_chains=[FilterChain()]).SerializeToString()[:1]
"""The tag of a chain in a listener."""


class Naive:
    """A floor that serves this shape."""

    def __init__(self, resources: Changes, port: int, *, instead_of: int) -> None:
        """Of what Serai has its waypoint do; listens at `port`."""
        self.floor = Floor()
        found = resources[ResourceKey(ResourceType.LISTENER, NAME)]
        assert found is not None  # noqa: S101  # it is there
        head = Listener.FromString(found.body)
        move(head, port, instead_of=instead_of)
        for field in ("default_filter_chain", "filter_chains", "filter_chain_matcher"):
            head.ClearField(field)
        head.ClearField("fcds_config")
        self._head = head.SerializeToString()
        self._chains: dict[str, bytes] = {}
        self.put(resources)

    def put(self, changes: Changes) -> tuple[Message, ...]:
        """Take in what Serai would send; what tells of it in this shape."""
        shared = {
            key: resource
            for key, resource in changes.items()
            if key.type in {ResourceType.CLUSTER, ResourceType.ENDPOINTS, ResourceType.ROUTES}
        }
        scopes = {key: row for key, row in changes.items() if key.type is ResourceType.SCOPE}
        for key, resource in scopes.items():
            if resource is None:
                del self._chains[key.name]
            else:
                self._chains[key.name] = _chain(resource)
        return self.floor.put({**shared, **(self._listener() if scopes else {})})

    def policy(self, number: int, said: str) -> tuple[Message, ...]:
        """A policy of one service, which is a change to its chain; answers show it in `server`."""
        name = next(each for each in self._chains if each.startswith(f"{vip(number)}~"))
        chain = FilterChain.FromString(self._chains[name])
        manager = HttpConnectionManager.FromString(chain.filters[0].typed_config.value)
        manager.server_name = said
        chain.filters[0].typed_config.value = manager.SerializeToString()
        self._chains[name] = chain.SerializeToString()
        return self.floor.put(self._listener())

    def _listener(self) -> dict[ResourceKey, Resource | None]:
        chains = (_CHAINS + _varint(len(each)) + each for each in self._chains.values())
        body = self._head + b"".join(chains)
        key = ResourceKey(ResourceType.LISTENER, NAME)
        return {key: Resource(*key, version=str(hash(body)), body=body)}


def _chain(scope: Resource) -> bytes:
    found = ScopedRouteConfiguration.FromString(scope.body)
    address = found.key.fragments[0].string_key.rpartition(":")[0]
    manager = HttpConnectionManager(
        stat_prefix="naive",
        rds={"route_config_name": found.route_configuration_name, "config_source": ADS},
        http_filters=[extension("envoy.filters.http.router", Router())],
    )
    match: dict[str, Any] = {
        "prefix_ranges": [{"address_prefix": address, "prefix_len": {"value": 32}}],
        "destination_port": {"value": PORT},
    }
    filters = [extension(MANAGER, manager)]
    return FilterChain(
        name=scope.name, filter_chain_match=match, filters=filters
    ).SerializeToString()


def _varint(number: int) -> bytes:
    digits = bytearray()
    while number > 0x7F:  # noqa: PLR2004  # seven bits a byte
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*digits, number))
