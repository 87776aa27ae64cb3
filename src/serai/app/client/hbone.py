"""A client's end of HBONE: HTTP/2 CONNECT over mutual TLS, as ztunnel speaks it to a waypoint."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator

import h2.config
import h2.connection
import h2.events
import msgspec

from serai.app.client.proxy_protocol import Socket

_CHUNK = 64 * 1024
_WINDOW = 4 * 1024 * 1024
_OK = "200"


class Tunnel(msgspec.Struct, frozen=True, kw_only=True):
    """What a tunnel needs: for whom it is, and a certificate that says whose it is."""

    authority: str
    """``address:port`` or ``host:port``."""
    chain: str
    """Path of the certificate, in PEM; its URI is the caller's identity."""
    key: str
    root: str
    """Path of the certificate that signs those of the mesh."""


class TunnelRefusedError(OSError):
    """The CONNECT request was not answered with 200."""


@contextlib.asynccontextmanager
async def through(
    connect: Socket, tunnel: Tunnel
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, Socket]]:
    """A connection inside a tunnel, with our end of the one around it.

    SSLError if either side does not take the other's certificate, TunnelRefusedError if the
    tunnel is not made.
    """
    outer_reader, outer = await asyncio.open_connection(*connect, ssl=_context(tunnel))
    sockname = outer.get_extra_info("sockname")
    ours, theirs = socket.socketpair()
    stream = _Stream(outer_reader, outer)
    try:
        await stream.ask(tunnel.authority)
        inner_reader, inner = await asyncio.open_connection(sock=theirs)
        carrying = asyncio.create_task(stream.carry(inner_reader, inner))
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            yield reader, writer, (str(sockname[0]), int(sockname[1]))
        finally:
            carrying.cancel()
            await asyncio.gather(carrying, return_exceptions=True)
            writer.transport.abort()
            inner.transport.abort()
    finally:
        ours.close()
        theirs.close()
        outer.transport.abort()


class _Stream:
    """The only stream of a connection in HTTP/2."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self._id = 1
        self._early: list[bytes] = []
        self._room = asyncio.Event()

    async def ask(self, authority: str) -> None:
        """Send the CONNECT request and wait for its answer."""
        self._h2.initiate_connection()
        self._h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW})
        self._h2.increment_flow_control_window(_WINDOW)
        self._h2.send_headers(self._id, [(":method", "CONNECT"), (":authority", authority)])
        self._flush()
        status = ""
        while not status:
            for event in await self._events():
                if isinstance(event, h2.events.ResponseReceived):
                    named = dict(event.headers or ())
                    status = (named.get(b":status") or b"").decode()
                elif isinstance(event, h2.events.DataReceived):
                    self._early.append(self._taken(event))
                elif isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
                    raise TunnelRefusedError("the tunnel was reset")
        if status != _OK:
            raise TunnelRefusedError(f"CONNECT {authority} was answered {status}")

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry bytes both ways until either side ends."""
        for data in self._early:
            writer.write(data)
        sending = asyncio.create_task(self._send(reader))
        try:
            await self._receive(writer)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            writer.close()

    async def _send(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_CHUNK):
            while data:
                room = min(
                    self._h2.local_flow_control_window(self._id), self._h2.max_outbound_frame_size
                )
                if room <= 0:
                    self._room.clear()
                    await self._room.wait()
                    continue
                self._h2.send_data(self._id, data[:room])
                data = data[room:]
                self._flush()
            await self._writer.drain()
        self._h2.end_stream(self._id)
        self._flush()

    async def _receive(self, writer: asyncio.StreamWriter) -> None:
        while True:
            for event in await self._events():
                if isinstance(event, h2.events.DataReceived):
                    writer.write(self._taken(event))
                elif isinstance(
                    event,
                    h2.events.StreamEnded | h2.events.StreamReset | h2.events.ConnectionTerminated,
                ):
                    return
            await writer.drain()

    async def _events(self) -> list[h2.events.Event]:
        data = await self._reader.read(_CHUNK)
        if not data:
            raise ConnectionResetError("the connection around the tunnel was closed")
        events = self._h2.receive_data(data)
        self._room.set()
        self._flush()
        return events

    def _taken(self, event: h2.events.DataReceived) -> bytes:
        if event.flow_controlled_length:
            self._h2.acknowledge_received_data(event.flow_controlled_length, self._id)
            self._flush()
        return event.data or b""

    def _flush(self) -> None:
        self._writer.write(self._h2.data_to_send())


def _context(tunnel: Tunnel) -> ssl.SSLContext:
    """Whoever shows a certificate of the mesh is taken: its identity is not its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.load_verify_locations(tunnel.root)
    context.load_cert_chain(tunnel.chain, tunnel.key)
    context.set_alpn_protocols(["h2"])
    return context
