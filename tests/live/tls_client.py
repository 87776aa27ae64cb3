"""Requests over TLS, where a test decides what the ClientHello says."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

import msgspec
import trustme


class TlsAnswer(msgspec.Struct, frozen=True):
    """What came back."""

    status: int
    certificate: bytes
    """The server's, as DER."""
    protocol: str | None
    """By ALPN."""
    body: bytes = b""


def trusting(
    ca: trustme.CA, certificate: trustme.LeafCert | None = None, alpn: tuple[str, ...] = ()
) -> ssl.SSLContext:
    """A client that trusts a CA and shows a certificate."""
    context = ssl.create_default_context()
    ca.configure_trust(context)
    context.check_hostname = False
    if certificate is not None:
        certificate.configure_cert(context)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


async def fetch(
    address: str, port: int, context: ssl.SSLContext, *, sni: str, host: str = "", path: str = "/"
) -> TlsAnswer:
    """One request over a connection of its own.  OSError where it is refused or closed."""
    connected = await connection(address, port, context, sni)
    try:
        return await connected.get(host or sni, path)
    finally:
        connected.close()


class TlsConnection:
    """A connection that stays open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def get(self, host: str, path: str = "/") -> TlsAnswer:
        """One request.  OSError where the connection is closed."""
        self._writer.write(f"GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError from error
        lines = head.decode().lower().splitlines()
        length = next((line[15:] for line in lines if line.startswith("content-length:")), "0")
        body = await self._reader.readexactly(int(length))
        tls: ssl.SSLObject = self._writer.get_extra_info("ssl_object")
        return TlsAnswer(
            status=int(lines[0].split()[1]),
            certificate=tls.getpeercert(binary_form=True) or b"",
            protocol=tls.selected_alpn_protocol(),
            body=body,
        )

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            self._writer.close()


async def connection(address: str, port: int, context: ssl.SSLContext, sni: str) -> TlsConnection:
    """A connection, once TLS is agreed on.  OSError where it is refused."""
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(
            address, port, ssl=context, server_hostname=sni
        )
    return TlsConnection(reader, writer)
