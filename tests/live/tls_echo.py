"""An HTTP server behind TLS that says what reached it: server name, client certificate, host."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator

import trustme
from cryptography import x509


@contextlib.asynccontextmanager
async def tls_echo(
    address: str,
    port: int,
    certificate: trustme.LeafCert,
    clients: trustme.CA | None = None,
) -> AsyncIterator[list[str]]:
    """Listens while the context lasts; gives the server names of the connections so far.

    With `clients` a certificate of theirs is asked for, and refused without.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        clients.configure_trust(context)
    async with echo_over(context, address, port) as names:
        yield names


@contextlib.asynccontextmanager
async def echo_over(context: ssl.SSLContext, address: str, port: int) -> AsyncIterator[list[str]]:
    """As `tls_echo`, with whatever certificates a context has."""
    names: list[str] = []

    def named(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> None:
        names.append(name or "")

    context.sni_callback = named

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
                host = next(line[5:].strip() for line in head if line.lower().startswith("host:"))
                shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
                said = {"sni": names[-1], "host": host, "client": _subject(shown)}
                body = json.dumps(said).encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, address, port, ssl=context)
    async with server:
        yield names


def _subject(certificate: bytes | None) -> str:
    if certificate is None:
        return ""
    found = x509.load_der_x509_certificate(certificate)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    kinds = (x509.DNSName, x509.UniformResourceIdentifier)
    return ",".join(name for kind in kinds for name in names.get_values_for_type(kind))
