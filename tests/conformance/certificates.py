"""The Secrets and ConfigMaps that the suite makes at its start, in the way it makes them."""

from __future__ import annotations

import base64
import datetime as dt
import re
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

INFRA, WEB, APP = (
    f"gateway-conformance-{name}" for name in ("infra", "web-backend", "app-backend")
)
_NAME = re.compile(r"(\*|[a-z0-9-]+)(\.[a-z0-9-]+)*")
_ISSUER = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gatewayapi")])
_SUBJECT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "default")])

Key = rsa.RSAPrivateKey
Authority = tuple[x509.Certificate, Key]


@cache
def programmatic() -> tuple[dict[str, Any], ...]:
    """The objects; the same ones as long as this process lives."""
    valid, per_port, checks, mismatch, web = (_authority() for _ in range(5))
    hosts = ["abc.example.com", "spiffe://abc.example.com/test-identity", "other.example.com"]
    return (
        _secret(WEB, "certificate", ["*"]),
        _secret(INFRA, "tls-validity-checks-certificate", ["*", "*.org", "*.wildcard.org"]),
        _config_map(WEB, "web-backend-cm", web),
        _config_map(INFRA, "tls-validity-checks-ca-certificate", valid),
        _secret(INFRA, "tls-validity-checks-client-certificate", [], valid),
        _config_map(INFRA, "tls-validity-checks-per-port-ca-certificate", per_port),
        _secret(INFRA, "tls-validity-checks-per-port-client-certificate", [], per_port),
        _config_map(INFRA, "tls-checks-ca-certificate", checks),
        _secret(INFRA, "tls-checks-certificate", hosts, checks),
        _secret(INFRA, "tls-checks-client-certificate", [], checks),
        _secret(INFRA, "tls-passthrough-checks-certificate", ["abc.example.com"], checks),
        _secret(APP, "tls-passthrough-checks-certificate", ["abc.example.com"], checks),
        _secret(INFRA, "tls-terminate-checks-certificate", ["tls.example.com"], checks),
        _config_map(INFRA, "mismatch-ca-certificate", mismatch),
    )


def text_of(objects: list[dict[str, Any]], reference: dict[str, Any]) -> str:
    """What ``{"$secret": ..., "key": ...}`` or ``{"$configMap": ...}`` stands for, in PEM."""
    kind = "Secret" if "$secret" in reference else "ConfigMap"
    name = reference["$secret" if kind == "Secret" else "$configMap"]
    found = next(
        each
        for each in objects
        if each["kind"] == kind
        and (each["metadata"]["namespace"], each["metadata"]["name"])
        == (name["namespace"], name["name"])
    )
    value = str(found["data"][reference["key"]])
    return base64.b64decode(value).decode() if kind == "Secret" else value


def serves(certificate: bytes, name: str) -> bool:
    """Whether a certificate (DER) is for a host name, as Go sees it: ``*.org`` is for example.org.

    OpenSSL, which Python asks, takes no wildcard for a whole top-level domain.
    """
    found = x509.load_der_x509_certificate(certificate)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    labels = name.lower().split(".")
    for each in names.get_values_for_type(x509.DNSName):
        wanted = each.lower().split(".")
        same = wanted[1:] == labels[1:] and len(wanted) == len(labels)
        if same and wanted[0] in {"*", labels[0]}:
            return True
    return False


def _authority() -> Authority:
    key = _key()
    usage = _usage(sign=True)
    builder = _builder(_ISSUER, _ISSUER, key).add_extension(usage, critical=True)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(key, hashes.SHA256()), key


def _secret(
    namespace: str, name: str, hosts: list[str], authority: Authority | None = None
) -> dict[str, Any]:
    key = _key()
    issuer, signing = (authority[0].subject, authority[1]) if authority else (_SUBJECT, key)
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        _builder(_SUBJECT, issuer, key)
        .add_extension(_usage(sign=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    if hosts:
        names = x509.SubjectAlternativeName([_general(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    certificate = builder.sign(signing, hashes.SHA256())
    data = {"tls.crt": certificate.public_bytes(serialization.Encoding.PEM), "tls.key": pem}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"namespace": namespace, "name": name},
        "data": {field: base64.b64encode(value).decode() for field, value in data.items()},
    }


def _config_map(namespace: str, name: str, authority: Authority) -> dict[str, Any]:
    pem = authority[0].public_bytes(serialization.Encoding.PEM).decode()
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": namespace, "name": name},
        "data": {"ca.crt": pem},
    }


def _general(host: str) -> x509.GeneralName:
    if _NAME.fullmatch(host):
        return x509.DNSName(host)
    return x509.UniformResourceIdentifier(urlsplit(host).geturl())


def _key() -> Key:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _builder(subject: x509.Name, issuer: x509.Name, key: Key) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=1))
        .not_valid_after(now + dt.timedelta(days=365))
    )


def _usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not sign,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
