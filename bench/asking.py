"""One request at a time over a connection as ztunnel makes it; for prober and load."""

from __future__ import annotations

import socket

from bench.worlds import PORT
from serai.app.client.proxy_protocol import proxy_header

SECONDS = 30.0


class Asking:
    """A client of one service.  Blocking, since nothing is quicker in Python."""

    def __init__(self, port: int, destination: str, host: str = "bench") -> None:
        """`port` is the proxy's; no `destination` says that it is a gateway, not a waypoint."""
        self._port = port
        self._header = (
            proxy_header(("127.0.0.1", 5555), (destination, PORT)) if destination else b""
        )
        self._request = b"GET / HTTP/1.1\r\nhost: %s\r\n\r\n" % host.encode()
        self._socket: socket.socket | None = None

    def ask(self) -> bytes:
        """The answer, head and body.  OSError if there is none."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.sendall(self._header + self._request)
        else:
            self._socket.sendall(self._request)
        try:
            return self._read(self._socket)
        except OSError:
            self.hang_up()
            raise

    def hang_up(self) -> None:
        """Have the next request make a connection of its own."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _read(self, connection: socket.socket) -> bytes:
        seen = b""
        while b"\r\n\r\n" not in seen:
            seen += _some(connection)
        head, _, body = seen.partition(b"\r\n\r\n")
        lower = head.lower()
        length = lower.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        while len(body) < int(length or b"0"):
            body += _some(connection)
        if b"connection: close" in lower:
            self.hang_up()
        return head + b"\r\n\r\n" + body


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionResetError("closed without an answer")
    return data
