"""What a trace reads: the collections as they are, found by name; nothing is copied."""

from __future__ import annotations

import msgspec

from serai.api.meta import Key
from serai.attach.frontends import Binding, BindingKey
from serai.attach.gateways import Proxy
from serai.attach.listeners import ListenerState
from serai.attach.workload_capture import Captured, WorkloadAddress
from serai.ir.cluster import Cluster, ClusterEndpoints
from serai.ir.listener import FilterChain, Listener
from serai.ir.route import RouteConfiguration, Scope
from serai.policies.tokens.requirement import KeySource
from serai.translate import names
from serai.translate.clusters import Proxied
from serai.translate.collections import Attached, Named
from serai.xds.snapshot import Translated


class View(msgspec.Struct, frozen=True):
    """What is attached to what, and what every proxy does."""

    attached: Attached
    translated: Translated

    def proxy(self, key: Key) -> ProxyView:
        """What one proxy does, by the key of its Gateway."""
        return ProxyView(key, self.attached, self.translated)

    def listeners(self, key: Key) -> list[ListenerState]:
        """The listeners of a Gateway and of its ListenerSets."""
        names = self.attached.of_proxy.row(key) or ()
        return [state for name in names if (state := self.attached.listeners.row(name))]


class ProxyView(msgspec.Struct, frozen=True):
    """What one proxy does."""

    key: Key
    attached: Attached
    translated: Translated

    @property
    def name(self) -> str:
        """``namespace/name`` of its Gateway."""
        return self.key.namespaced_name

    @property
    def gateway(self) -> Proxy | None:
        """The Gateway, if it is one of ours."""
        return self.attached.proxies.row(self.key)

    def proxied_listener(self) -> Listener | None:
        """The listener that accepts the PROXY protocol."""
        return self._listener(names.WAYPOINT_LISTENER)

    def hbone_listener(self) -> Listener | None:
        """The listener where tunnels end."""
        return self._listener(names.HBONE_LISTENER)

    def tunnelled_listener(self) -> Listener | None:
        """The listener, inside the proxy, of what comes through tunnels."""
        return self._listener(names.TUNNELLED_LISTENER)

    def loopback_listener(self, address: str, port: int) -> Listener | None:
        """The listener at a VIP on loopback."""
        return self._listener(names.loopback_listener(address, port))

    def gateway_listener(self, port: int) -> Listener | None:
        """The listener of a gateway's port."""
        return self._listener(names.gateway_listener(port))

    def udp_listener(self, port: int) -> Listener | None:
        """The listener of a gateway's port for datagrams."""
        return self._listener(names.udp_listener(port))

    def internal_listener(self, name: str) -> Listener | None:
        """A listener inside the proxy."""
        return self._listener(name)

    def chain(self, name: str) -> FilterChain | None:
        """A filter chain."""
        return self.translated.chains.row(Named(self.key, name))

    def scope(self, address: str, port: int) -> Scope | None:
        """The scope of a destination at a waypoint."""
        return self.translated.scopes.row(Named(self.key, names.scope(address, port)))

    def routes(self, name: str) -> RouteConfiguration | None:
        """A route configuration."""
        return self.translated.routes.row(Named(self.key, name))

    def cluster(self, name: str) -> Cluster | None:
        """A cluster, if this proxy has it."""
        chosen = self.translated.chosen.row(Proxied(self.key, name))
        return self.translated.clusters.row(chosen) if chosen else None

    def endpoints(self, name: str) -> ClusterEndpoints | None:
        """The endpoints of an EDS cluster."""
        chosen = self.translated.chosen.row(Proxied(self.key, name))
        return self.translated.endpoints.row(chosen) if chosen else None

    def keys(self, source: KeySource) -> str:
        """The keys that were fetched from somewhere, as a key set; empty: not known."""
        found = self.translated.tokens.key_sets.row(source)
        return found.keys if found else ""

    def binding(self, cidr: str, port: int) -> Binding | None:
        """Who owns an address, or a range of them, and a port."""
        return self.attached.bindings.row(BindingKey(self.key, cidr, port))

    def workload(self, address: str) -> Captured | None:
        """The workload of which this is an address, if it is captured."""
        return self.attached.workloads.addresses.row(WorkloadAddress(self.key, address))

    def _listener(self, name: str) -> Listener | None:
        return self.translated.listeners.row(Named(self.key, name))
