"""A listener's tls.options: what of them Envoy would refuse, with all listeners of the port."""

from __future__ import annotations

import pytest

from serai.attach.tls_options import TlsOptions, tls_options

CIPHER, OTHER = "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305"


def asked(name: str, text: str) -> TlsOptions | str:
    return tls_options({f"kgateway.dev/{name}": text})


def test_what_is_written_twice_counts_once() -> None:
    assert asked("ecdh-curves", "X25519, P-256,X25519") == TlsOptions(curves=("X25519", "P-256"))
    twice = asked("signature-algorithms", "rsa_pkcs1_sha256,rsa_pkcs1_sha256")
    assert twice == TlsOptions(signatures=("rsa_pkcs1_sha256",))


def test_suites_of_equal_preference_are_in_brackets() -> None:
    alike = f"[{CIPHER}|{OTHER}]"
    assert asked("cipher-suites", f"{alike},AES128-SHA") == TlsOptions(
        ciphers=(alike, "AES128-SHA")
    )


@pytest.mark.parametrize("text", [f"[{CIPHER}", f"{CIPHER}]", f"{CIPHER}|{OTHER}", "[]"])
def test_brackets_come_in_pairs(text: str) -> None:
    assert isinstance(asked("cipher-suites", text), str)
