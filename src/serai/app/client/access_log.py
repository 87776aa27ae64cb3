"""What Envoy said of a request: the route, the cluster and the endpoint that answered."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

import msgspec

from serai.envoy.logfile import Tail

if TYPE_CHECKING:
    from pathlib import Path

_PAUSE_SECONDS = 0.01


class AccessLine(msgspec.Struct, frozen=True):
    """A line of the access log, as far as it says who answered; xds.encode.access_log has all."""

    request_id: str | None = None
    route_name: str | None = None
    upstream_cluster: str | None = None
    upstream_host: str | None = None
    response_flags: str | None = None
    response_code_details: str | None = None
    downstream_remote_address: str | None = None
    peer_principal: str | None = None


class AccessLog:
    """An Envoy's access log, read from where it ended when this was made."""

    def __init__(self, path: Path | None) -> None:
        """Make it before the request is sent.  Without a path nothing is found."""
        # Whoever runs the Envoy keeps the file small; here it is only read.
        self._tail = Tail(path, limit=sys.maxsize) if path else None
        self._by_id: dict[str | None, AccessLine] = {}
        self._by_client: dict[str | None, AccessLine] = {}

    async def line_of(
        self, request_id: str, client: str, patience_seconds: float
    ) -> AccessLine | None:
        """The line of a request, by its x-request-id or by our end (``address:port``).

        A gateway gives requests ids of its own, so there the connection tells; a waypoint keeps
        ids, and what it takes for the client may be what X-Forwarded-For says.  None if there was
        no such line in time: Envoy writes its log with some delay.
        """
        deadline = time.monotonic() + patience_seconds
        while self._tail is not None:
            self._read(self._tail)
            found = self._by_id.get(request_id) or self._by_client.get(client)
            if found is not None:
                return found
            if time.monotonic() >= deadline:
                break
            await asyncio.sleep(_PAUSE_SECONDS)
        return None

    def _read(self, tail: Tail) -> None:
        for text in tail.read():
            line = _decoded(text)
            if line is not None:
                self._by_id[line.request_id] = line
                self._by_client[line.downstream_remote_address] = line


def _decoded(line: str) -> AccessLine | None:
    try:
        return msgspec.json.decode(line, type=AccessLine)
    except msgspec.DecodeError:
        return None
