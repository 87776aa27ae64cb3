"""What endpoints get to know of clients' certificates, in every mode, and slow handshakes."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
import time
from pathlib import Path
from urllib.parse import unquote

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from live.https import PORT, authority, gateway, https, policy, route, secret
from live.serving import SECONDS, Place, serving, workload
from live.tls_client import trusting

pytestmark = pytest.mark.live

CLAIMED = "Hash=00;URI=spiffe://forged"
URI = "spiffe://cluster.local/ns/shop/sa/cart"
MODES = {
    "sanitize": "{mode: Sanitize}",
    "forward": "{mode: ForwardOnly}",
    "append": "{mode: AppendForward, details: {uri: true}}",
    "set": "{mode: SanitizeSet, details: {uri: true, subject: true, dns: true}}",
    "whole": "{mode: SanitizeSet, details: {cert: true, chain: true}}",
    "always": "{mode: AlwaysForwardOnly}",
}


def manifests(place: Place, ca: trustme.CA, clients: trustme.CA, at: str) -> dict[str, str]:
    listeners = "".join(https(name, f"{name}.example", "pair") for name in MODES)
    pair = ca.issue_cert(*(f"{name}.example" for name in MODES))
    ref = '{group: "", kind: ConfigMap, name: clients}'
    check = f"clientCertificateValidation: {{mode: Optional, caCertificateRefs: [{ref}]}}"
    files = {
        "gateway.yaml": gateway(place, listeners),
        "pair.yaml": secret("pair", pair),
        "clients.yaml": authority("clients", clients),
    }
    for name, told in MODES.items():
        files[f"{name}.yaml"] = route(name, name, at)
        settings = f"httpSettings: {{forwardClientCertDetails: {told}}}"
        files[f"of-{name}.yaml"] = policy(name, f"{{{check}, {settings}}}")
    return files


async def forwarded(place: Place, context: ssl.SSLContext, name: str) -> str:
    """The header as it reached the endpoint of a client that wrote one itself."""
    host = f"{name}.example"
    reader, writer = await asyncio.open_connection(
        place.gateway, PORT, ssl=context, server_hostname=host
    )
    lines = ["GET / HTTP/1.1", f"host: {host}", f"x-forwarded-client-cert: {CLAIMED}"]
    writer.write("\r\n".join([*lines, "connection: close", "", ""]).encode())
    async with asyncio.timeout(SECONDS):
        answer = (await reader.read()).decode()
    writer.close()
    assert answer.startswith("HTTP/1.1 200"), answer
    _, _, found = answer.partition('"X-Forwarded-Client-Cert": [')
    return found.partition("]")[0].replace('\\"', "'").strip(' "\n')


def workload_certificate(ca: trustme.CA) -> tuple[bytes, bytes]:
    """A certificate for a URI and a name, alone and with its key, in PEM."""
    key, begun = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    authority_key = serialization.load_pem_private_key(ca.private_key_pem.bytes(), None)
    assert isinstance(authority_key, ec.EllipticCurvePrivateKey)
    names = [x509.UniformResourceIdentifier(URI), x509.DNSName("cart.example")]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cart")]))
        .issuer_name(x509.load_pem_x509_certificate(ca.cert_pem.bytes()).subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begun - dt.timedelta(hours=1))
        .not_valid_after(begun + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    chain = certificate.public_bytes(pem)
    plain, format_ = serialization.NoEncryption(), serialization.PrivateFormat.PKCS8
    return chain, chain + key.private_bytes(pem, format_, plain)


async def test_every_mode_with_and_without_a_certificate(tmp_path: Path) -> None:
    ca, clients, place = trustme.CA(), trustme.CA(), Place()
    at = place.address()
    chain, pair = workload_certificate(clients)
    shown = tmp_path / "pair.pem"
    shown.write_bytes(pair)
    files = manifests(place, ca, clients, at)
    async with serving(tmp_path, files, [workload(at, 3000, "api")], place):
        known, unknown = trusting(ca), trusting(ca)
        known.load_cert_chain(shown)
        told = {name: await forwarded(place, known, name) for name in MODES}
        nameless = {name: await forwarded(place, unknown, name) for name in MODES}
    assert told["sanitize"] == ""
    assert told["forward"] == told["always"] == CLAIMED
    assert told["append"].startswith(f"{CLAIMED},")
    assert told["append"].endswith(f"URI={URI}")
    assert CLAIMED not in told["set"]
    for part in (f"URI={URI}", "CN=cart", "DNS=cart.example", "Hash="):
        assert part in told["set"], told["set"]
    whole = unquote(told["whole"])
    assert chain.decode().strip() in whole
    assert "Chain=" in whole
    assert "URI=" not in whole
    assert nameless.pop("always") == CLAIMED
    assert set(nameless.values()) == {""}


async def test_a_handshake_takes_so_long_at_most(tmp_path: Path) -> None:
    ca, place = trustme.CA(), Place()
    at = place.address()
    both = https("one", "one.example", "both") + https("two", "two.example", "both")
    files = {
        "gateway.yaml": gateway(place, both),
        "both.yaml": secret("both", ca.issue_cert("one.example", "two.example")),
        "one.yaml": route("one", "one", at),
        "policy.yaml": policy("one", "{transportSocketConnectTimeout: 300ms}"),
    }
    async with serving(tmp_path, files, [workload(at, 3000, "api")], place):
        assert await silence(place, trusting(ca), "one.example") < SHORT
        assert await silence(place, trusting(ca), "two.example") == SHORT


SHORT = 1.0


async def silence(place: Place, context: ssl.SSLContext, host: str) -> float:
    """Seconds until Envoy gives up a client that said hello and nothing more; at most SHORT."""
    inner, outer = ssl.MemoryBIO(), ssl.MemoryBIO()
    with_name = context.wrap_bio(inner, outer, server_hostname=host)
    with pytest.raises(ssl.SSLWantReadError):
        with_name.do_handshake()
    reader, writer = await asyncio.open_connection(place.gateway, PORT)
    writer.write(outer.read())
    begun = time.monotonic()
    try:
        async with asyncio.timeout(SHORT):
            await reader.read()
            while await reader.read(4096):
                pass
        return time.monotonic() - begun
    except TimeoutError:
        return SHORT
    finally:
        writer.transport.abort()
