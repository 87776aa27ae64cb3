"""What a feature of clusters is: a value, who can ask for it, and what it writes for Envoy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from serai.api.core import ConfigMap, Secret
from serai.api.meta import Key
from serai.ir.cluster import Cluster as IrCluster
from serai.ir.cluster import Refusal
from serai.ir.origin import Value
from serai.ir.tls import ClientCertificate, WorkloadTls
from serai.model.service import BackendKey, ServicePort
from serai.model.settings import Settings
from serai.proto.envoy import (
    Cluster,
    Http1ProtocolOptions,
    Http2ProtocolOptions,
    HttpProtocolOptions,
)


class Asked(msgspec.Struct, frozen=True):
    """A spec that asks for something of a cluster, and where it stands."""

    policy: Key
    path: str
    spec: Any
    """A BackendTLSValidation, BackendConfigPolicySpec, XBackendTrafficPolicySpec or
    TrafficPolicy; or Unreadable."""


_NOBODY = Key("", "", "")
"""Who asks is known where the answer is kept."""


def refused(path: str, reason: str, message: str) -> Refusal:
    """That a spec asks at a path for what cannot be had, so that nothing may be sent."""
    return Refusal(_NOBODY, path, reason, message)


class Unreadable(Value, frozen=True):
    """In place of a spec that cannot be read, and may ask for TLS."""


class SpeaksTls(Value, frozen=True):
    """What a service says itself: its endpoints speak TLS."""


class Subject(msgspec.Struct, frozen=True):
    """The cluster that something is asked of."""

    backend: BackendKey
    port: ServicePort
    settings: Settings
    namespace: str
    """Of the proxy."""
    policy_namespace: str
    """Of who asks."""
    read: Callable[[Key], Secret | ConfigMap | None]
    """Secrets and ConfigMaps."""
    permits: Callable[[Key, Key], bool]
    """Whether the first may refer to the second, in another namespace."""
    subject_alt_names: tuple[str, ...] = ()
    """The names that the service says its endpoints have.  Istio: ServiceEntry."""
    certificate: ClientCertificate | None = None
    """What the Gateway shows where a BackendTLSPolicy applies."""
    identity: WorkloadTls | None = None
    """The proxy's own certificate of the mesh, and whom it trusts."""


class Draft:
    """Envoy's cluster while its features write their parts."""

    def __init__(
        self, cluster: IrCluster, message: Cluster, secret: Callable[[str], dict[str, Any]]
    ) -> None:
        """`secret` is how a cluster names a secret that it waits for."""
        self.secret = secret
        self.ir = cluster
        self.message = message
        self.http2 = cluster.http2
        self.http = HttpProtocolOptions()
        self.http1_options = Http1ProtocolOptions()
        self.http2_options = Http2ProtocolOptions()
        self.follow_client = cluster.follow_client
        """Whether endpoints are spoken to in the protocol of each client."""


Reads = Callable[[Any, Subject], Value | Refusal | None]


class Feature(msgspec.Struct, frozen=True):
    """One thing that can be asked of a cluster."""

    value: type[Value]
    reads: dict[type, Callable[..., Value | Refusal | None]]
    """By type of spec: what it asks for; None if it says nothing of this."""
    write: Callable[[Any, Draft], None]
    """Writes the value into the draft."""
    whole: bool = False
    """Whether the first spec to say anything decides alone; else it does so field by field."""
