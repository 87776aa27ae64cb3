"""WorkloadTls -> the TLS of HBONE: version 1.3, HTTP/2, and a certificate from either side.

ztunnel: tls/lib.rs, tls/certificate.rs; Istio: listener_waypoint.go.
"""

from __future__ import annotations

from typing import Any

from serai.backends.upstream_tls import TLS_SOCKET
from serai.ir.tls import WorkloadTls
from serai.proto.envoy import DownstreamTlsContext, UpstreamTlsContext
from serai.xds.encode.body import ADS, extension


def downstream(tls: WorkloadTls) -> dict[str, Any]:
    """What a listener asks of its clients: a certificate of the trust domain, or an alias of it."""
    prefixes = [f"spiffe://{each}/" for each in tls.trust_domains]
    context = DownstreamTlsContext(
        require_client_certificate={"value": True},
        common_tls_context=_common(tls, prefixes),
    )
    return extension(TLS_SOCKET, context)


def upstream(tls: WorkloadTls, identities: str) -> dict[str, Any]:
    """What is asked of whom a tunnel leads to: an identity that begins so."""
    return extension(TLS_SOCKET, UpstreamTlsContext(common_tls_context=_common(tls, [identities])))


def _common(tls: WorkloadTls, identities: list[str]) -> dict[str, Any]:
    inside = [{"san_type": "URI", "matcher": {"prefix": each}} for each in identities]
    return {
        "tls_params": {
            "tls_minimum_protocol_version": "TLSv1_3",
            "tls_maximum_protocol_version": "TLSv1_3",
        },
        "alpn_protocols": ["h2"],
        "tls_certificate_sds_secret_configs": [named_secret(tls.certificate)],
        "combined_validation_context": {
            "default_validation_context": {"match_typed_subject_alt_names": inside},
            "validation_context_sds_secret_config": named_secret(tls.authority),
        },
    }


def named_secret(name: str) -> dict[str, Any]:
    """A secret, by its name.

    Who names one in two ways asks for it twice, and Envoy waits for the second answer for ever.
    """
    return {"name": name, "sds_config": ADS}
