"""Every endpoint of every service: answers with the address it was reached at.

``python -m bench.upstream PORT`` runs until its input ends.
"""

from __future__ import annotations

import asyncio
import sys

from bench.worlds import addresses

END = b"\r\n\r\n"


class Upstream(asyncio.Protocol):
    """A connection; requests have no bodies."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Work out the answer, which is always the same."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # it is TCP
        self._transport = transport
        self._seen = b""
        body = transport.get_extra_info("sockname")[0].encode()
        self._answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        requests = (self._seen + data).split(END)
        self._seen = requests.pop()
        self._transport.write(self._answer * len(requests))


async def main(port: int) -> None:
    """Serve at all addresses of both groups."""
    loop = asyncio.get_running_loop()
    await loop.create_server(Upstream, [*addresses(1), *addresses(2)], port, backlog=1024)
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
