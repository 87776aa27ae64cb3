"""The certificates that listeners name: those to show, and those to check clients with.

Gateway API: ListenerTLSConfig.certificateRefs, FrontendTLSValidation, ReferenceGrant.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from serai.api.core import ConfigMap, Secret
from serai.api.gateway import Listener
from serai.api.gateway_tls import (
    FrontendTLSConfig,
    FrontendTLSValidation,
    ObjectReference,
    SecretObjectReference,
)
from serai.api.meta import Key
from serai.attach.grants import Grants
from serai.attach.verdict import ACCEPTED, Verdict, refused
from serai.incremental import Node, Reader
from serai.ir.origin import Value
from serai.model.key_pairs import CheckedPair
from serai.model.pem import CA, bundle_fault, value_of

_CORE = frozenset({"", "core"})


class ClientValidation(Value, frozen=True):
    """How the certificates of a port's clients are checked."""

    authorities: tuple[Key, ...]
    """Secrets and ConfigMaps with a CA."""
    insecure: bool
    """Whether clients without a valid certificate are let in."""


class Found(NamedTuple):
    """The references that can be used, and the verdict on all of them."""

    keys: tuple[Key, ...]
    resolved: Verdict


class Certificates(msgspec.Struct, frozen=True):
    """Where certificates are looked up."""

    pairs: Node[Key, CheckedPair]
    secrets: Node[Key, Secret]
    config_maps: Node[Key, ConfigMap]
    grants: Grants

    def shown(
        self, reader: Reader, source: Key, references: Iterable[SecretObjectReference]
    ) -> Found:
        """The Secrets that a listener of `source` can show."""
        keys: list[Key] = []
        first: Verdict | None = None
        for each in references:
            key = Key(each.kind, each.namespace or source.namespace, each.name)
            verdict, usable = self._shown(reader, source, each, key)
            if usable:
                keys.append(key)
            if not verdict.ok:
                first = first or verdict
        if not keys and first is None:
            first = refused("InvalidCertificateRef", "no certificate is named; add certificateRefs")
        return Found(tuple(dict.fromkeys(keys)), first or ACCEPTED)

    def _shown(
        self, reader: Reader, source: Key, reference: SecretObjectReference, key: Key
    ) -> tuple[Verdict, bool]:
        """What is said of a reference, and whether it is used: also where only its time is over."""
        if reference.group not in _CORE or reference.kind != "Secret":
            message = f"{reference.group}/{key} is no Secret, and only Secrets hold certificates"
            return refused("InvalidCertificateRef", message), False
        if not self.grants.permits(reader, source, key):
            return _not_permitted(source, key), False
        found = reader.get(self.pairs, key)
        if found is None:
            return refused("InvalidCertificateRef", f"{key} does not exist"), False
        said = refused("InvalidCertificateRef", found.fault) if found.fault else ACCEPTED
        return said, found.pair is not None

    def trusted(self, reader: Reader, gateway: Key, validation: FrontendTLSValidation) -> Found:
        """The objects whose CAs vouch for the clients of a Gateway."""
        keys: list[Key] = []
        first: Verdict | None = None
        for each in validation.ca_certificate_refs:
            key = Key(each.kind, each.namespace or gateway.namespace, each.name)
            verdict = self._trusted(reader, gateway, each, key)
            if verdict.ok:
                keys.append(key)
            else:
                first = first or verdict
        return Found(tuple(dict.fromkeys(keys)), first or ACCEPTED)

    def _trusted(
        self, reader: Reader, gateway: Key, reference: ObjectReference, key: Key
    ) -> Verdict:
        if reference.group not in _CORE or reference.kind not in {"ConfigMap", "Secret"}:
            message = f"{reference.group}/{key} is neither a ConfigMap nor a Secret"
            return refused("InvalidCACertificateKind", message)
        if not self.grants.permits(reader, gateway, key):
            return _not_permitted(gateway, key)
        pem = self.authority(reader, key)
        if pem is None:
            return refused("InvalidCACertificateRef", f"{key} does not exist")
        if not pem:
            message = f"{key} has no {CA}; write the PEM of a CA there"
            return refused("InvalidCACertificateRef", message)
        fault = bundle_fault(pem)
        if fault:
            message = f"{key} holds {fault} in {CA}; write the PEM of a CA there"
            return refused("InvalidCACertificateRef", message)
        return ACCEPTED

    def authority(self, reader: Reader, key: Key) -> str | None:
        """The CA that a Secret or ConfigMap holds; None if there is no such object."""
        held: Secret | ConfigMap | None
        if key.kind == "ConfigMap":
            held = reader.get(self.config_maps, key)
        else:
            held = reader.get(self.secrets, key)
        return None if held is None else value_of(held, CA)


def validation_of(
    frontend: FrontendTLSConfig | None, listener: Listener
) -> FrontendTLSValidation | None:
    """What a Gateway asks of the clients of a listener: what it says for the port, or for all."""
    if frontend is None:
        return None
    of_port = [each.tls for each in frontend.per_port if each.port == listener.port]
    return (of_port[0] if of_port else frontend.default).validation


def _not_permitted(source: Key, target: Key) -> Verdict:
    message = f"{target} is in another namespace, and no ReferenceGrant there permits {source} it"
    return refused("RefNotPermitted", message)
