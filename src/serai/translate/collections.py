"""The collections that translation reads."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from serai.api.meta import Key
from serai.attach.capture import Capture
from serai.attach.certificates import Certificates
from serai.attach.deployment import Wish
from serai.attach.detours import Detour
from serai.attach.frontends import Binding, BindingKey, Frontend, FrontendKey, WaypointPort
from serai.attach.gateways import Proxy
from serai.attach.listeners import ListenerKey, ListenerState, Listening
from serai.attach.routes import Attachment, AttachmentKey
from serai.attach.workload_capture import WorkloadCaptures
from serai.incremental import Index, Node
from serai.model.catalog import Catalog
from serai.model.service import BackendKey
from serai.model.settings import Settings
from serai.translate.cluster_policies import ClusterPolicies
from serai.translate.compiled import AttachmentIndexes
from serai.translate.destination_rules import DestinationRules
from serai.translate.extensions import Extensions
from serai.translate.listener_policies import ListenerPolicies
from serai.translate.material import CertificateSources
from serai.translate.policies import Looks, Policies
from serai.translate.rules import CompiledRoute
from serai.translate.sending import Sending


class Named(NamedTuple):
    """A resource of one proxy."""

    proxy: Key
    name: str


class Attached(msgspec.Struct, frozen=True):
    """What is attached to what, ready to be translated."""

    settings: Settings
    catalog: Catalog
    proxies: Node[Key, Proxy]
    wishes: Node[Key, Wish]
    """How each Gateway's Envoys are to be deployed."""
    addresses: Node[Key, tuple[str, ...]]
    """Where each Gateway's proxy listens, decided by who runs it."""
    unusable: Node[Key, tuple[str, ...]]
    """Addresses that Gateways ask for and cannot have."""
    listening: Listening
    certificates: Certificates
    captures: Node[Key, Capture]
    detours: Node[BackendKey, Detour]
    frontends: Node[FrontendKey, Frontend]
    bindings: Node[BindingKey, Binding]
    ranges: Index[WaypointPort, BindingKey]
    workloads: WorkloadCaptures
    attachments: Node[AttachmentKey, Attachment]
    compiled: Node[AttachmentKey, CompiledRoute]
    by_parent: AttachmentIndexes
    looks: Looks
    """Where what policies and extensions refer to is looked up."""
    extensions: Extensions
    """What filters of routes name."""
    listener_policies: ListenerPolicies
    """What is asked of listeners."""
    cluster_policies: ClusterPolicies
    sending: Sending
    """What routes must know of the backends that they send to."""
    rules: DestinationRules
    material: CertificateSources

    @property
    def cluster_names(self) -> Node[BackendKey, str]:
        """The name of each backend's cluster, and of its subsets'."""
        return self.looks.clusters

    @property
    def by_cluster(self) -> Index[str, BackendKey]:
        """The backends that clusters are of, by what `names.cluster_of` gives."""
        return self.looks.by_cluster

    @property
    def on_service(self) -> Index[Key, AttachmentKey]:
        """The attachments of routes to each service."""
        return self.by_parent.on_service

    @property
    def on_waypoint(self) -> Index[Key, AttachmentKey]:
        """Those to all that a waypoint captures."""
        return self.by_parent.on_waypoint

    @property
    def on_listener(self) -> Index[ListenerKey, AttachmentKey]:
        """Those to each listener."""
        return self.by_parent.on_listener

    @property
    def of_route(self) -> Index[Key, AttachmentKey]:
        """Those of each route."""
        return self.by_parent.of_route

    @property
    def policies(self) -> Policies:
        """What is asked of requests, and where."""
        return self.extensions.policies

    @property
    def listeners(self) -> Node[ListenerKey, ListenerState]:
        """The listeners of all Gateways and ListenerSets of ours."""
        return self.listening.states

    @property
    def of_proxy(self) -> Index[Key, ListenerKey]:
        """The listeners of each Gateway's proxy, those of ListenerSets among them."""
        return self.listening.of_proxy
