"""A listener's tls.options, as kgateway names them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from serai.api.validate_listeners import OPTIONS
from serai.ir.origin import Value

VERSIONS = ("1.0", "1.1", "1.2", "1.3")
CIPHERS = frozenset(
    {
        *("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
        *("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"),
        *("ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"),
        *("ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA"),
        *("ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES256-SHA"),
        *("AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA"),
    }
)
CURVES = frozenset({"X25519", "P-256", "P-384", "P-521", "X25519MLKEM768"})
SIGNATURES = frozenset(
    {
        *("rsa_pkcs1_sha256", "rsa_pkcs1_sha384", "rsa_pkcs1_sha512"),
        *("ecdsa_secp256r1_sha256", "ecdsa_secp384r1_sha384", "ecdsa_secp521r1_sha512"),
        *("rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512"),
    }
)
_HASH = re.compile(r"[0-9A-Fa-f]{64}|([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}")
_PROTOCOL = re.compile(r"[!-+\--~]{1,255}")


class TlsOptions(Value, frozen=True):
    """What a listener asks of TLS beyond certificates; empty: Envoy's own."""

    min_version: str = ""
    max_version: str = ""
    ciphers: tuple[str, ...] = ()
    curves: tuple[str, ...] = ()
    signatures: tuple[str, ...] = ()
    alpn: tuple[str, ...] = ()
    client_names: tuple[str, ...] = ()
    """One of them has to be in a client's certificate."""
    client_hashes: tuple[str, ...] = ()
    """SHA-256 of the certificates that clients may show."""


def tls_options(written: Mapping[str, str]) -> TlsOptions | str:
    """The options, or what is wrong with them; those that mean nothing here are passed over."""
    found: dict[str, object] = {}
    for name, text in sorted(written.items()):
        option = _OPTIONS.get(name.removeprefix(OPTIONS)) if name.startswith(OPTIONS) else None
        if option is None:
            continue
        field, allowed = option
        # Envoy refuses curves and signatures that are written twice.
        values = tuple(dict.fromkeys(each.strip() for each in text.split(",") if each.strip()))
        wrong = next((each for each in values if not allowed(each)), None)
        if wrong is not None or not values:
            return f"tls.options {name}: {wrong or 'nothing'} is not one of its values"
        if field.endswith("_version") and len(values) > 1:
            return f"tls.options {name} takes one version, such as 1.2"
        found[field] = values[0] if field.endswith("_version") else values
    options = TlsOptions(**found)  # type: ignore[arg-type]
    low, high = options.min_version or VERSIONS[0], options.max_version or VERSIONS[-1]
    if VERSIONS.index(low) > VERSIONS.index(high):
        return f"tls.options ask for at least TLS {low} and at most {high}"
    return options


def _is_cipher(text: str) -> bool:
    """One cipher suite, or several of equal preference: ``[a|b]``."""
    alike = text[1:-1].split("|") if text.startswith("[") and text.endswith("]") else [text]
    return all(each in CIPHERS for each in alike)


_OPTIONS = {
    "min-tls-version": ("min_version", VERSIONS.__contains__),
    "max-tls-version": ("max_version", VERSIONS.__contains__),
    "cipher-suites": ("ciphers", _is_cipher),
    "ecdh-curves": ("curves", CURVES.__contains__),
    "signature-algorithms": ("signatures", SIGNATURES.__contains__),
    "alpn-protocols": ("alpn", lambda text: _PROTOCOL.fullmatch(text) is not None),
    "verify-subject-alt-names": ("client_names", bool),
    "verify-certificate-hash": ("client_hashes", lambda text: _HASH.fullmatch(text) is not None),
}
