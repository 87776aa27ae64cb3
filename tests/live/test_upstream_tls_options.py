"""Every field of a BackendConfigPolicy's `tls`: what Envoy offers, shows and expects."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
from asyncio.subprocess import PIPE
from pathlib import Path

import msgspec
import pytest
import trustme

from live.hello import TLS12, TLS13, greeted
from live.serving import SECONDS, Place, Served, answer, echoed, serving
from live.tls_echo import echo_over
from live.worlds import config, entry, secret, shop
from serai.model.settings import Settings

pytestmark = pytest.mark.live

AES128, CHACHA = 0xC02F, 0xCCA8
P256, X25519 = 0x0017, 0x001D
RSA_PSS_SHA256 = 0x0804


async def test_what_is_offered(tmp_path: Path) -> None:
    place = Place()
    asked = {
        "versions": "parameters: {minVersion: '1.2', maxVersion: '1.2'}",
        "newest": "parameters: {minVersion: '1.3'}",
        "ciphers": "parameters: {maxVersion: '1.2', "
        "cipherSuites: [ECDHE-RSA-AES128-GCM-SHA256, ECDHE-RSA-CHACHA20-POLY1305]}",
        "curves": "parameters: {ecdhCurves: [P-256]}",
        "signatures": "parameters: {signatureAlgorithms: [rsa_pss_rsae_sha256]}",
        "alpn": "alpnProtocols: [h2, special]",
        "sni": "sni: other.example",
        "plain": "",
    }
    addresses = {name: place.address() for name in asked}
    files = {
        "shop.yaml": shop(place, *(entry(name, at, port=3000) for name, at in addresses.items()))
    }
    for name, each in asked.items():
        files[f"{name}.yaml"] = config(name, f"tls: {{insecureSkipVerify: true, {each}}}")
    async with contextlib.AsyncExitStack() as stack:
        heard = {
            name: await stack.enter_async_context(greeted(each)) for name, each in addresses.items()
        }
        served = await stack.enter_async_context(serving(tmp_path, files, [], place))
        for name in asked:
            found = answer(await served.to(place.gateway, 8080, f"/{name}"))
            assert found.status == 503
    hello = {name: each[0] for name, each in heard.items()}
    plain = hello["plain"]
    assert set(plain.versions) == {TLS12, TLS13}
    assert plain.alpn == ("http/1.1",)
    assert plain.server_name == "plain.example"
    assert hello["versions"].versions == (TLS12,)
    assert hello["newest"].versions == (TLS13,)
    assert set(hello["ciphers"].ciphers) == {AES128, CHACHA} < set(plain.ciphers)
    assert hello["curves"].groups == (P256,) != plain.groups
    assert hello["signatures"].signatures == (RSA_PSS_SHA256,) != plain.signatures
    assert hello["alpn"].alpn == ("h2", "special")
    assert hello["sni"].server_name == "other.example"


async def test_whom_it_expects_and_what_it_shows(tmp_path: Path) -> None:
    place, ca, others = Place(), trustme.CA(), trustme.CA()
    own = ca.issue_cert("edge.example")
    files = {name: str(tmp_path / name) for name in ("ca.pem", "cert.pem", "key.pem")}
    ca.cert_pem.write_to_path(files["ca.pem"])
    own.cert_chain_pems[0].write_to_path(files["cert.pem"])
    own.private_key_pem.write_to_path(files["key.pem"])
    of_files = (
        f"files: {{rootCA: {files['ca.pem']}, tlsCertificate: {files['cert.pem']}, "
        f"tlsKey: {files['key.pem']}}}"
    )
    asked = {
        "secret": ("secretRef: {name: ours}", "edge.example"),
        "simple": ("secretRef: {name: ours}, simpleTLS: true", ""),
        "files": (of_files, "edge.example"),
        "named": ("secretRef: {name: ours}, verifySubjectAltNames: [other.example]", None),
        "listed": (
            "secretRef: {name: ours}, verifySubjectAltNames: [other.example, partner.example]",
            "edge.example",
        ),
        "sni": ("secretRef: {name: ours}, sni: wrong.example", None),
        "strangers": ("secretRef: {name: theirs}", None),
        "skip": ("insecureSkipVerify: true", ""),
        "system": ("wellKnownCACertificates: System, sni: partner.example", ""),
        "system-other": ("wellKnownCACertificates: System", None),
    }
    endpoint = place.address()
    manifests = {
        "shop.yaml": shop(place, *(entry(name, endpoint, port=3000) for name in asked)),
        "ours.yaml": secret("ours", ca, own),
        "theirs.yaml": secret("theirs", others, others.issue_cert("edge.example")),
    }
    for name, (each, _) in asked.items():
        manifests[f"{name}.yaml"] = config(name, f"tls: {{{each}}}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_OPTIONAL
    ca.issue_cert("partner.example").configure_cert(context)
    ca.configure_trust(context)
    settings = msgspec.structs.replace(Settings(), system_certificates=files["ca.pem"])
    async with (
        echo_over(context, endpoint, 3000),
        serving(tmp_path, manifests, [], place, settings) as served,
    ):
        found = {name: await shown(served, name) for name in asked}
    assert found == {name: expected for name, (_, expected) in asked.items()}


async def shown(served: Served, name: str) -> str | None:
    """The client's certificate, as the endpoint saw it; None where Envoy sent nothing."""
    found = answer(await served.to(served.place.gateway, 8080, f"/{name}"))
    if found.status == 503:
        assert b"remote connection failure" in found.body
        return None
    return str(echoed(found)["client"])


@pytest.mark.skipif(shutil.which("openssl") is None, reason="only openssl asks for it")
@pytest.mark.parametrize("allowed", [True, False])
async def test_a_second_handshake_is_taken_part_in_only_if_asked(
    tmp_path: Path, *, allowed: bool
) -> None:
    place, ca = Place(), trustme.CA()
    endpoint, pair = place.address(), str(tmp_path / "pair.pem")
    ca.issue_cert("again.example").private_key_and_cert_chain_pem.write_to_path(pair)
    tls = f"insecureSkipVerify: true, allowRenegotiation: {str(allowed).lower()}"
    files = {
        "shop.yaml": shop(place, entry("again", endpoint, port=3000)),
        "tls.yaml": config("again", f"tls: {{{tls}}}"),
    }
    command = ["openssl", "s_server", "-tls1_2", "-crlf", "-accept", f"{endpoint}:3000"]
    server = await asyncio.create_subprocess_exec(
        *command, "-cert", pair, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        async with serving(tmp_path, files, [], place) as served:
            asking = asyncio.create_task(served.to(place.gateway, 8080, "/again"))
            async with asyncio.timeout(SECONDS):
                while b"GET /again" not in await server.stdout.readline():
                    pass
                server.stdin.write(b"R\n")  # by which it begins another handshake
                await asyncio.sleep(0.3)
                server.stdin.write(b"HTTP/1.1 200 OK\ncontent-length: 0\n\n")
                found = answer(await asking)
            assert found.status == (200 if allowed else 503)
    finally:
        server.kill()
        await server.communicate()
