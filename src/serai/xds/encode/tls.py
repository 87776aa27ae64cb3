"""ir.Tls -> DownstreamTlsContext: certificates come one by one (SDS)."""

from __future__ import annotations

from typing import Any

from serai.backends.upstream_tls import TLS_SOCKET
from serai.ir.listener import ClientCheck, Tls
from serai.proto.envoy import DownstreamTlsContext
from serai.xds.encode.body import extension
from serai.xds.encode.mesh_tls import named_secret

_VERSIONS = {"1.0": "TLSv1_0", "1.1": "TLSv1_1", "1.2": "TLSv1_2", "1.3": "TLSv1_3"}


def ended(tls: Tls) -> dict[str, Any]:
    """The transport socket of a chain that ends TLS."""
    context = DownstreamTlsContext(
        common_tls_context={
            "tls_certificate_sds_secret_configs": [named_secret(each) for each in tls.certificates],
            "alpn_protocols": list(tls.alpn),
            "tls_params": _parameters(tls),
            **(_validation(tls.clients) if tls.clients else {}),
        },
        require_client_certificate={"value": _required(tls.clients)},
        # Certificates of several kinds or names: the client's hello decides.
        full_scan_certs_on_sni_mismatch={"value": len(tls.certificates) > 1},
    )
    return extension(TLS_SOCKET, context)


def _required(clients: ClientCheck | None) -> bool:
    return clients is not None and not (clients.insecure or clients.optional)


def _parameters(tls: Tls) -> dict[str, Any]:
    return {
        "tls_minimum_protocol_version": _VERSIONS.get(tls.min_version, "TLS_AUTO"),
        "tls_maximum_protocol_version": _VERSIONS.get(tls.max_version, "TLS_AUTO"),
        "cipher_suites": list(tls.ciphers),
        "ecdh_curves": list(tls.curves),
        "signature_algorithms": list(tls.signatures),
    }


def _validation(clients: ClientCheck) -> dict[str, Any]:
    names = [{"san_type": "DNS", "matcher": {"exact": each}} for each in clients.names]
    names += [{"san_type": "URI", "matcher": {"exact": each}} for each in clients.names]
    trust = "ACCEPT_UNTRUSTED" if clients.insecure else "VERIFY_TRUST_CHAIN"
    context = {
        "verify_certificate_hash": list(clients.hashes),
        "match_typed_subject_alt_names": names,
        "trust_chain_verification": trust,
    }
    if not clients.authority:
        return {"validation_context": context}
    combined = {
        "default_validation_context": context,
        "validation_context_sds_secret_config": named_secret(clients.authority),
    }
    return {"combined_validation_context": combined}
