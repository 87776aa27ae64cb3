"""What is said of Gateways before anything is made of them."""

from __future__ import annotations

from typing import Any

import pytest

from serai.api.decode import decode
from serai.attach.tls_options import TlsOptions, tls_options


def codes(**spec: Any) -> list[tuple[str, str]]:
    listeners = spec.pop("listeners", [{"name": "a", "port": 80, "protocol": "HTTP"}])
    raw = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "edge"},
        "spec": {"gatewayClassName": "serai", "listeners": listeners, **spec},
    }
    return [(each.code, each.path or "") for each in decode(raw).problems]


def listener(protocol: str, **more: Any) -> list[dict[str, Any]]:
    return [{"name": "a", "port": 443, "protocol": protocol, **more}]


def test_what_changes_nothing_is_told() -> None:
    options = {"certificateRefs": [{"name": "c"}], "options": {"example.com/x": "y"}}

    assert codes(listeners=listener("HTTPS", tls=options)) == [
        ("SER0007", "spec.listeners[0].tls.options")
    ]


@pytest.mark.parametrize(
    ("protocol", "more", "field"),
    [
        ("TLS", {}, "tls"),
        ("HTTP", {"tls": {"certificateRefs": [{"name": "c"}]}}, "tls"),
        ("HTTPS", {"tls": {"mode": "Passthrough"}}, "tls.mode"),
        ("HTTPS", {"tls": {}}, "tls.certificateRefs"),
        ("TCP", {"hostname": "a.example"}, "hostname"),
    ],
)
def test_what_an_api_server_refuses_is_refused(
    protocol: str, more: dict[str, Any], field: str
) -> None:
    found = codes(listeners=listener(protocol, **more))

    assert found == [("SER0104", f"spec.listeners[0].{field}")]


def test_tls_options_are_read_as_kgateway_names_them() -> None:
    found = tls_options(
        {"kgateway.dev/min-tls-version": "1.2", "kgateway.dev/ecdh-curves": "X25519, P-256"}
    )

    assert found == TlsOptions(min_version="1.2", curves=("X25519", "P-256"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("min-tls-version", "1.4"),
        ("min-tls-version", "1.2,1.3"),
        ("cipher-suites", "RC4"),
        ("ecdh-curves", ""),
        ("verify-certificate-hash", "beef"),
    ],
)
def test_options_that_envoy_would_refuse_are_told(name: str, value: str) -> None:
    found = tls_options({f"kgateway.dev/{name}": value})

    assert isinstance(found, str) and name in found
