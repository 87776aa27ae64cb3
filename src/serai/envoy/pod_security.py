"""How an Envoy in a Pod knows its control plane, and how it proves who it is.

Pure.  It trusts the authorities in a file beside its bootstrap, and sends the token that the
kubelet keeps new: Envoy looks at the folders of both, so neither needs it to start again.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import msgspec

Json = dict[str, Any]

CONFIG_FOLDER = "/etc/envoy"
TOKEN_FOLDER = "/etc/serai"  # noqa: S105  a folder
TOKEN_FILE = "token"  # noqa: S105  its name there
TRUST_FILE = "ca.crt"

_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
_EXTENSIONS = "type.googleapis.com/envoy.extensions."
_HTTP = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def security_files(host: str, trust: str) -> dict[str, str]:
    """What is beside the bootstrap of an Envoy whose control plane is `host`, by file name."""
    trusted = {
        "trusted_ca": {"filename": f"{CONFIG_FOLDER}/{TRUST_FILE}"},
        "match_typed_subject_alt_names": [
            {"san_type": _kind(host), "matcher": {"exact": host}},
        ],
    }
    token = {"secret": {"filename": f"{TOKEN_FOLDER}/{TOKEN_FILE}"}}
    return {
        TRUST_FILE: trust,
        "xds-trust.json": _secret("xds_trust", validation_context=trusted),
        "xds-token.json": _secret("xds_token", generic_secret=token),
    }


def secure(cluster: Json, host: str) -> None:
    """Change the cluster of the control plane, so that it is reached by TLS and with a token."""
    context: Json = {
        "@type": f"{_TLS}UpstreamTlsContext",
        "common_tls_context": {
            "alpn_protocols": ["h2"],
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
            "validation_context_sds_secret_config": _source("xds_trust", "xds-trust.json"),
        },
    }
    if _kind(host) == "DNS":
        context["sni"] = host
    cluster["transport_socket"] = {"name": "tls", "typed_config": context}
    credential = {
        "@type": f"{_EXTENSIONS}http.injected_credentials.generic.v3.Generic",
        "credential": _source("xds_token", "xds-token.json"),
        "header": "authorization",
        "header_value_prefix": "Bearer ",
    }
    injector = {
        "@type": f"{_EXTENSIONS}filters.http.credential_injector.v3.CredentialInjector",
        "overwrite": True,
        "credential": {"name": "generic", "typed_config": credential},
    }
    codec = {"@type": f"{_EXTENSIONS}filters.http.upstream_codec.v3.UpstreamCodec"}
    cluster["typed_extension_protocol_options"][_HTTP]["http_filters"] = [
        {"name": "serai.proof", "typed_config": injector},
        {"name": "codec", "typed_config": codec},
    ]


def _kind(host: str) -> str:
    try:
        ip_address(host)
    except ValueError:
        return "DNS"
    return "IP_ADDRESS"


def _source(name: str, file: str) -> Json:
    path = {"path": f"{CONFIG_FOLDER}/{file}"}
    return {"name": name, "sds_config": {"path_config_source": path, "resource_api_version": "V3"}}


def _secret(name: str, **what: Json) -> str:
    found = {"resources": [{"@type": f"{_TLS}Secret", "name": name, **what}]}
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
