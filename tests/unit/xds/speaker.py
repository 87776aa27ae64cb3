"""The other end of a delta stream, for scripted tests, and small resources to talk about."""

from __future__ import annotations

from typing import Any

from serai.api.meta import Key
from serai.ir.origin import Origin
from serai.proto.envoy import (
    Cluster,
    ClusterLoadAssignment,
    Listener,
    RouteConfiguration,
    ScopedRouteConfiguration,
)
from serai.proto.pool import message, pack
from serai.xds.delta import DeltaRequest, DeltaResponse, DeltaStream
from serai.xds.events import Event
from serai.xds.resource import Resource, ResourceKey, ResourceType
from serai.xds.world import World

C, E, L, F, S, R = (
    ResourceType.CLUSTER,
    ResourceType.ENDPOINTS,
    ResourceType.LISTENER,
    ResourceType.FILTER_CHAIN,
    ResourceType.SCOPE,
    ResourceType.ROUTES,
)
X = ResourceType.EXTENSION
PROXY = "shop/waypoint"
HCM = message("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager")


def made(type_: ResourceType, name: str, version: str, body: Any) -> Resource:
    origin = Origin(Key("HTTPRoute", "shop", name))
    return Resource(type_, name, version, body.SerializeToString(deterministic=True), (origin,))


def cluster(name: str, version: str = "1") -> Resource:
    return made(C, name, version, Cluster(name=name, type="EDS"))


def plain(name: str, version: str = "1") -> Resource:
    """A cluster that needs no endpoints from us."""
    return made(C, name, version, Cluster(name=name, type="STRICT_DNS"))


def endpoints(name: str, version: str = "1") -> Resource:
    return made(E, name, version, ClusterLoadAssignment(cluster_name=name))


def routes(name: str, *clusters: str, version: str = "1") -> Resource:
    to = [{"route": {"cluster": cluster}} for cluster in clusters]
    body = RouteConfiguration(name=name, virtual_hosts=[{"name": "v", "routes": to}])
    return made(R, name, version, body)


def scope(name: str, to: str, version: str = "1") -> Resource:
    return made(S, name, version, ScopedRouteConfiguration(name=name, route_configuration_name=to))


def listener(name: str, to: str = "", version: str = "1") -> Resource:
    looked_up = {"name": "scopes", "scoped_rds": {"scoped_rds_config_source": {"ads": {}}}}
    rds = {"rds": {"route_config_name": to}} if to else {"scoped_routes": looked_up}
    chain = {"filters": [{"name": "hcm", "typed_config": pack(HCM(**rds))}]}
    return made(L, name, version, Listener(name=name, filter_chains=[chain]))


def changes(*added: Resource, removed: tuple[ResourceKey, ...] = ()) -> dict[str, Any]:
    wanted: dict[ResourceKey, Resource | None] = {made.key: made for made in added}
    return {PROXY: {**wanted, **dict.fromkeys(removed)}}


class Speaker:
    """Says what a client says, keeps what it is answered, and owns the clock."""

    def __init__(self, *resources: Resource, ready: bool = True, **stream: Any) -> None:
        self.world = World()
        self.world.apply(changes(*resources))
        self.now = 100.0
        self.stream = DeltaStream(self.world.resources(PROXY) if ready else None, **stream)
        self.sent: list[DeltaResponse] = []
        """Every response so far."""
        self.events: list[Event] = []

    def ask(self, type_: ResourceType, *names: str, **more: Any) -> list[str]:
        """A request; the answers in short."""
        request = DeltaRequest(type_, subscribe=names, **more)
        return self._keep(self.stream.receive(request, self.now))

    def ack(self, type_: ResourceType | None = None, **more: Any) -> list[str]:
        """Takes the last response of the type, or the very last one."""
        last = self.last(type_)
        return self.ask(last.type, *more.pop("names", ()), nonce=last.nonce, **more)

    def nack(self, type_: ResourceType | None = None, error: str = "no", **more: Any) -> list[str]:
        return self.ack(type_, error=error, **more)

    def change(self, *added: Resource, removed: tuple[ResourceKey, ...] = ()) -> list[str]:
        """The world changes."""
        changed = self.world.apply(changes(*added, removed=removed))[PROXY]
        return self._keep(self.stream.update(changed, self.now))

    def remove(self, *resources: Resource) -> list[str]:
        return self.change(removed=tuple(resource.key for resource in resources))

    def later(self, seconds: float) -> list[str]:
        """Time passes."""
        self.now += seconds
        return self._keep(self.stream.tick(self.now))

    def last(self, type_: ResourceType | None = None) -> DeltaResponse:
        return next(r for r in reversed(self.sent) if type_ in (None, r.type))

    def settle(self) -> list[str]:
        """Acknowledges all that comes until nothing does; what came, in short."""
        came, answered = [], getattr(self, "_answered", 0)
        while answered < len(self.sent):
            response = self.sent[answered]
            answered += 1
            if response.nonce in self.stream.conversation.ledgers[response.type].flights:
                came += self.ask(response.type, nonce=response.nonce)
        self._answered = answered
        return came

    def rejected(self) -> dict[str, str]:
        """Names and versions."""
        return {
            key.name: rejection.version
            for key, rejection in self.stream.conversation.rejections().items()
        }

    def _keep(self, responses: list[DeltaResponse]) -> list[str]:
        self.sent += responses
        self.events += self.stream.events()
        return [short(response) for response in responses]


def short(response: DeltaResponse) -> str:
    """Such as ``C a@1 b@2 -c``."""
    letter = {C: "C", E: "E", L: "L", F: "F", S: "S", R: "R", X: "X"}[response.type]
    words = [f"-{name}" for name in response.removed]
    words += [f"{entry.name}@{entry.version}" for entry in response.resources]
    return " ".join((letter, *words))
