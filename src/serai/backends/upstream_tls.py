"""TLS toward endpoints, as BackendTLSPolicy, BackendConfigPolicy and DestinationRule ask for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from serai.api.backend_policy import BackendTLSValidation, CACertificateReference
from serai.api.destination_rule import ClientTls, TrafficPolicy
from serai.api.kgateway_backend import BackendConfigPolicySpec, Tls
from serai.api.meta import Key
from serai.api.syntax import is_ip
from serai.api.xbackend import XBackendTls
from serai.backends.feature import Draft, Feature, SpeaksTls, Subject, Unreadable, refused
from serai.ir.cluster import Refusal
from serai.ir.tls import ClientCertificate, Material, SubjectName, UpstreamTls
from serai.model import pem
from serai.model.spiffe import spiffe_prefix
from serai.proto.envoy import UpstreamTlsContext
from serai.proto.pool import pack

SYSTEM = "System"
TLS_SOCKET = "envoy.transport_sockets.tls"


def trust_of(
    references: Iterable[CACertificateReference], namespace: str, subject_read: Any
) -> tuple[Material | None, tuple[Refusal, ...]]:
    """The CA certificates of all references that can be used, and what is wrong with the others.

    Gateway API: a policy with some that cannot be used works with the rest.
    """
    found: list[str] = []
    faults: list[Refusal] = []
    for index, each in enumerate(references):
        path = f"caCertificateRefs[{index}]"
        shown = f"{each.group}/{each.kind}".lstrip("/")
        if each.group not in {"", "core"} or each.kind not in {"ConfigMap", "Secret"}:
            message = f"{shown} holds no CA certificates; name a ConfigMap or a Secret"
            faults.append(refused(path, "InvalidKind", message))
            continue
        key = Key(each.kind, namespace, each.name)
        text = _text(subject_read, key, pem.CA)
        fault = "does not exist" if text is None else f"has no {pem.CA}" if not text else ""
        if text and not fault and (wrong := pem.bundle_fault(text)):
            fault = f"has {wrong} in {pem.CA}"
        if fault:
            faults.append(refused(path, "InvalidCACertificateRef", f"{key} {fault}"))
        else:
            found.append(text or "")
    return (Material("\n".join(found)) if found else None), tuple(faults)


def _text(read: Any, key: Key, name: str) -> str | None:
    held = read(key)
    return None if held is None else pem.value_of(held, name)


def _of_unreadable(_: Unreadable, __: Subject) -> Refusal:
    return refused("spec", "Invalid", "it cannot be read, so nothing is sent that it may encrypt")


def _of_policy(validation: BackendTLSValidation, subject: Subject) -> UpstreamTls | Refusal:
    """Gateway API: hostname is the SNI, and the name to expect unless others are listed."""
    return _validated(validation, subject, "spec.validation")


def _validated(
    validation: BackendTLSValidation, subject: Subject, path: str
) -> UpstreamTls | Refusal:
    names = tuple(
        SubjectName(each.hostname or each.uri or "", "URI" if each.type == "URI" else "DNS")
        for each in validation.subject_alt_names
    )
    if validation.ca_certificate_refs:
        refs, namespace = validation.ca_certificate_refs, subject.policy_namespace
        trust, faults = trust_of(refs, namespace, subject.read)
        if trust is None:
            return replace(faults[0], path=f"{path}.{faults[0].path}")
    elif validation.well_known_ca == SYSTEM:
        trust = Material(path=subject.settings.system_certificates)
    else:
        words = f"wellKnownCACertificates {validation.well_known_ca} is not known; there is System"
        return refused(f"{path}.wellKnownCACertificates", "Invalid", words)
    return UpstreamTls(
        sni=validation.hostname,
        trust=trust,
        names=names or (SubjectName(validation.hostname),),
        certificate=subject.certificate,
    )


def _of_backend(tls: XBackendTls, subject: Subject) -> UpstreamTls | Refusal:
    """Gateway API: XBackend.  Without validation, its own host, by whom the system trusts."""
    host = subject.backend.host
    validation = tls.validation or BackendTLSValidation(host, well_known_ca=SYSTEM)
    found = _validated(validation, subject, "validation")
    reference = tls.client_certificate_ref
    if isinstance(found, Refusal) or reference is None:
        return found if isinstance(found, Refusal) else replace(found, certificate=None)
    path = "clientCertificateRef"
    if (reference.group, reference.kind) != ("", "Secret"):
        return refused(path, "InvalidKind", f"{reference.kind} holds no certificate; use a Secret")
    key = Key("Secret", reference.namespace or subject.policy_namespace, reference.name)
    if not subject.permits(subject.backend.service, key):
        words = f"{key} is in another namespace, and no ReferenceGrant there permits it"
        return refused(path, "RefNotPermitted", words)
    shown = _of_secret(key, path, subject, needs_pair=True)
    return shown if isinstance(shown, Refusal) else replace(found, certificate=shown[1])


def _of_config(spec: BackendConfigPolicySpec, subject: Subject) -> UpstreamTls | Refusal | None:
    tls = spec.tls
    if tls is None:
        return None
    found = _trust_of_config(tls, subject)
    if isinstance(found, Refusal):
        return found
    trust, certificate = found
    given = tls.verify_subject_alt_names or subject.subject_alt_names
    sni = tls.sni or _server_name(subject)
    checked = given or ((sni,) if sni and (tls.sni or tls.well_known_ca) else ())
    parameters = tls.parameters
    return UpstreamTls(
        sni=sni,
        trust=trust,
        names=tuple(map(_name, checked)) if trust else (),
        certificate=None if tls.simple_tls else certificate,
        min_version=_version(parameters.min_version if parameters else None),
        max_version=_version(parameters.max_version if parameters else None),
        ciphers=parameters.cipher_suites if parameters else (),
        curves=parameters.ecdh_curves if parameters else (),
        signatures=parameters.signature_algorithms if parameters else (),
        alpn=tls.alpn_protocols or None,
        renegotiate=bool(tls.allow_renegotiation),
    )


def _trust_of_config(
    tls: Tls, subject: Subject
) -> tuple[Material | None, ClientCertificate | None] | Refusal:
    if tls.insecure_skip_verify:
        return None, None
    if tls.well_known_ca:
        if tls.well_known_ca == SYSTEM:
            return Material(path=subject.settings.system_certificates), None
        words = f"wellKnownCACertificates {tls.well_known_ca} is not known; there is System"
        return refused("spec.tls.wellKnownCACertificates", "Invalid", words)
    if tls.files:
        files = tls.files
        pair = (
            ClientCertificate(Material(path=files.tls_certificate), Material(path=files.tls_key))
            if files.tls_certificate and files.tls_key
            else None
        )
        return (Material(path=files.root_ca) if files.root_ca else None), pair
    name = tls.secret_ref.name if tls.secret_ref else ""
    key = Key("Secret", subject.policy_namespace, name)
    return _of_secret(key, "spec.tls.secretRef", subject, needs_pair=False)


def _of_secret(
    key: Key, path: str, subject: Subject, *, needs_pair: bool
) -> tuple[Material | None, ClientCertificate | None] | Refusal:
    """What a Secret has to trust and to show: ca.crt, and tls.crt with tls.key."""
    held = subject.read(key)
    if held is None:
        return refused(path, "InvalidCertificateRef", f"{key} does not exist")
    trusted, chain, own = (pem.value_of(held, name) for name in (pem.CA, pem.CHAIN, pem.KEY))
    if trusted and (wrong := pem.bundle_fault(trusted)):
        return refused(path, "InvalidCertificateRef", f"{key} has {wrong} in {pem.CA}")
    if needs_pair and not (chain and own):
        message = f"{key} has no {pem.CHAIN} and {pem.KEY}"
        return refused(path, "InvalidCertificateRef", message)
    if chain and own and (wrong := pem.pair_fault(pem.KeyPair(chain, own))):
        return refused(path, "InvalidCertificateRef", f"{key} has {wrong}")
    if not trusted and not (chain and own):
        message = f"{key} has neither {pem.CA} nor {pem.CHAIN} with {pem.KEY}"
        return refused(path, "InvalidCertificateRef", message)
    pair = ClientCertificate(Material(chain), Material(own)) if chain and own else None
    return (Material(trusted) if trusted else None), pair


def _of_rule(policy: TrafficPolicy, subject: Subject) -> UpstreamTls | Refusal | None:
    """Istio: ClientTLSSettings.  Where no CA is named, the system's are trusted."""
    tls = policy.tls
    if tls is None or tls.mode == "DISABLE":
        return None
    if tls.mode == "ISTIO_MUTUAL":
        return _of_mesh(tls, subject)
    found = _trust_of_rule(tls, subject)
    if isinstance(found, Refusal):
        return found
    trust, certificate = found
    sni = tls.sni or _server_name(subject)
    given = tls.subject_alt_names or subject.subject_alt_names or ((sni,) if sni else ())
    if tls.insecure_skip_verify:
        trust, given = None, ()
    return UpstreamTls(
        sni=sni,
        trust=trust,
        names=tuple(map(_name, given)),
        certificate=certificate,
        revoked=Material(path=tls.ca_crl) if tls.ca_crl and trust else None,
    )


def _of_mesh(tls: ClientTls, subject: Subject) -> UpstreamTls:
    """Istio: the mesh's certificates; whom to expect is said by the ServiceEntry.

    Where it says nothing it is anybody of the service's namespace, of which all its endpoints are.
    """
    backend, domain = subject.backend, subject.settings.trust_domain
    names = tls.subject_alt_names or subject.subject_alt_names
    version = ("h2",) if subject.port.protocol.is_http2 else ("http/1.1",)
    return UpstreamTls(
        sni=tls.sni or f"outbound_.{backend.port}_.{backend.subset}_.{backend.host}",
        names=tuple(map(_name, names)),
        alpn=("istio", *(version if subject.port.protocol.is_http else ())),
        mesh=subject.identity,
        identities=spiffe_prefix(domain, backend.service.namespace),
    )


def _of_service(_: SpeaksTls, subject: Subject) -> UpstreamTls:
    """Whoever the system trusts, by the name of each request's host."""
    return UpstreamTls(
        sni=_server_name(subject), trust=Material(path=subject.settings.system_certificates)
    )


def _trust_of_rule(
    tls: ClientTls, subject: Subject
) -> tuple[Material | None, ClientCertificate | None] | Refusal:
    mutual = tls.mode == "MUTUAL"
    system = Material(path=subject.settings.system_certificates)
    if tls.credential_name:
        key = Key("Secret", subject.namespace, tls.credential_name)
        found = _of_secret(key, "tls.credentialName", subject, needs_pair=mutual)
        if isinstance(found, Refusal):
            return found
        trusted, pair = found
        return trusted or system, pair if mutual else None
    files = tls.client_certificate and tls.private_key and mutual
    own = Material(path=tls.client_certificate), Material(path=tls.private_key)
    trusted = Material(path=tls.ca_certificates) if tls.ca_certificates else system
    return trusted, ClientCertificate(*own) if files else None


def _server_name(subject: Subject) -> str:
    """The service's own host, where it can be a server name."""
    host = subject.backend.host
    return "" if "*" in host or is_ip(host) else host


def _name(text: str) -> SubjectName:
    if "://" in text:
        return SubjectName(text, "URI")
    return SubjectName(text, "IP_ADDRESS" if is_ip(text) else "DNS")


def _version(text: str | None) -> str:
    return "" if text in {None, "AUTO"} else str(text)


def _write(tls: UpstreamTls, draft: Draft) -> None:
    if not tls.sni:
        draft.http.upstream_http_protocol_options.auto_sni = True
        draft.http.upstream_http_protocol_options.auto_san_validation = tls.trust is not None
    context = UpstreamTlsContext(
        sni=tls.sni,
        allow_renegotiation=tls.renegotiate,
        common_tls_context={
            "tls_params": {
                "tls_minimum_protocol_version": _protocol(tls.min_version, "TLS_AUTO"),
                # Envoy's own default for what it connects to is 1.2.
                "tls_maximum_protocol_version": _protocol(tls.max_version, "TLSv1_3"),
                "cipher_suites": tls.ciphers,
                "ecdh_curves": tls.curves,
                "signature_algorithms": tls.signatures,
            },
            "alpn_protocols": _alpn(tls, draft),
            **_shown(tls, draft),
            **_expected(tls, draft),
        },
    )
    socket = {"name": TLS_SOCKET, "typed_config": pack(context)}
    draft.message.MergeFrom(type(draft.message)(transport_socket=socket))


def _protocol(version: str, default: str) -> str:
    return f"TLSv{version.replace('.', '_')}" if version else default


def _alpn(tls: UpstreamTls, draft: Draft) -> tuple[str, ...]:
    if tls.alpn is not None:
        return tls.alpn
    if draft.ir.http2:
        return ("h2",)
    return ("http/1.1",) if draft.ir.http else ()


def _shown(tls: UpstreamTls, draft: Draft) -> dict[str, Any]:
    if tls.mesh is not None:
        return {"tls_certificate_sds_secret_configs": [draft.secret(tls.mesh.certificate)]}
    certificate = tls.certificate
    if certificate is None:
        return {}
    pair = {
        "certificate_chain": _source(certificate.chain),
        "private_key": _source(certificate.key),
    }
    return {"tls_certificates": [pair]}


def _expected(tls: UpstreamTls, draft: Draft) -> dict[str, Any]:
    matchers = [each for name in tls.names for each in _matchers(name)]
    if tls.mesh is not None:
        anybody = {"san_type": "URI", "matcher": {"prefix": tls.identities}}
        expected = {"match_typed_subject_alt_names": matchers or [anybody]}
        return {
            "combined_validation_context": {
                "default_validation_context": expected,
                "validation_context_sds_secret_config": draft.secret(tls.mesh.authority),
            }
        }
    if tls.trust is None:
        return {}
    context: dict[str, Any] = {
        "trusted_ca": _source(tls.trust),
        "match_typed_subject_alt_names": matchers,
    }
    if tls.revoked:
        context["crl"] = _source(tls.revoked)
    return {"validation_context": context}


def _matchers(name: SubjectName) -> list[dict[str, Any]]:
    exact = {"san_type": name.kind, "matcher": {"exact": name.value}}
    if name.kind == "DNS" and name.value.startswith("*."):
        suffix = name.value[1:].replace(".", r"\.")
        regex = {"regex": rf"[^.*]+{suffix}"}
        return [exact, {"san_type": "DNS", "matcher": {"safe_regex": regex}}]
    return [exact]


def _source(material: Material) -> dict[str, str]:
    if material.path:
        return {"filename": material.path}
    return {"inline_string": material.pem}


UPSTREAM_TLS = Feature(
    value=UpstreamTls,
    reads={
        Unreadable: _of_unreadable,
        BackendTLSValidation: _of_policy,
        BackendConfigPolicySpec: _of_config,
        TrafficPolicy: _of_rule,
        SpeaksTls: _of_service,
        XBackendTls: _of_backend,
    },
    write=_write,
    whole=True,
)
