"""Secrets and ConfigMaps, as far as certificates are looked up in them."""

from __future__ import annotations

import msgspec

from serai.api.core import ConfigMap, Secret
from serai.api.meta import Key
from serai.attach.gateways import Proxy
from serai.attach.grants import Grants
from serai.incremental import Node, Reader
from serai.ir.tls import ClientCertificate, Material, WorkloadTls
from serai.model import pem
from serai.model.settings import Settings
from serai.translate import names


class CertificateSources(msgspec.Struct, frozen=True):
    """Where certificates and keys are found."""

    secrets: Node[Key, Secret]
    config_maps: Node[Key, ConfigMap]
    grants: Grants

    def read(self, reader: Reader, key: Key) -> Secret | ConfigMap | None:
        """The object under a key, if it is there and of one of these kinds."""
        if key.kind == "Secret":
            return reader.get(self.secrets, key)
        return reader.get(self.config_maps, key) if key.kind == "ConfigMap" else None

    def of_gateway(self, reader: Reader, proxy: Proxy) -> Key | None:
        """The Secret of what a Gateway shows to endpoints.  Gateway API: GatewayBackendTLS."""
        backend = proxy.tls.backend if proxy.tls else None
        reference = backend.client_certificate_ref if backend else None
        if reference is None or reference.kind != "Secret" or reference.group:
            return None
        key = Key("Secret", reference.namespace or proxy.key.namespace, reference.name)
        return key if self.grants.permits(reader, proxy.key, key) else None

    def certificate(self, reader: Reader, key: Key | None) -> ClientCertificate | None:
        """What a Secret has to show; None where that is nothing that can be shown."""
        held = reader.get(self.secrets, key) if key else None
        if held is None:
            return None
        pair = pem.KeyPair(pem.value_of(held, pem.CHAIN), pem.value_of(held, pem.KEY))
        if pem.pair_fault(pair):
            return None
        return ClientCertificate(Material(pair.chain), Material(pair.key))


def workload_tls(settings: Settings) -> WorkloadTls:
    """Mutual TLS with a proxy's own certificate."""
    return WorkloadTls(names.WORKLOAD_CERTIFICATE, names.WORKLOAD_AUTHORITY, settings.trust_domains)
