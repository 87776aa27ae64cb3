"""Somebody between us and a real API server, in whose hands answers break in every bad way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from random import Random

FAULTS = (
    "none",
    "refused",
    "cut",
    "half-open",
    "429",
    "500",
    "503",
    "gone",
    "gone-event",
    "error-event",
    "garbage",
)
WATCH_ONLY = frozenset({"half-open", "gone-event", "error-event", "garbage"})
"""A list that is half-open is found to be so much later."""
_BROKEN = (OSError, asyncio.IncompleteReadError)


class Meddler:
    """Plain HTTP on our side, TLS on the API server's."""

    def __init__(self, api_port: int, random: Random) -> None:
        self.meddling = True
        self.met: Counter[str] = Counter()
        """How often watches met each fault."""
        self._api_port = api_port
        self._random = random
        self._tasks: set[asyncio.Task[None]] = set()
        self._tls = ssl.create_default_context()
        self._tls.check_hostname, self._tls.verify_mode = False, ssl.CERT_NONE

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serves until the end; where."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for each in tuple(self._tasks):
                each.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def broken(self) -> int:
        """How many watches were broken."""
        return sum(number for fault, number in self.met.items() if fault != "none")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            # Cancelled at the end, which Python 3.11 would write a traceback of.
            with contextlib.suppress(*_BROKEN, asyncio.CancelledError):
                await self._answer((await reader.readuntil(b"\r\n\r\n")).decode(), writer)
        finally:
            writer.transport.abort() if self.meddling else writer.close()

    async def _answer(self, head: str, writer: asyncio.StreamWriter) -> None:
        watch = "watch=true" in head.split("\r\n", 1)[0]
        known = [each for each in FAULTS if watch or each not in WATCH_ONLY]
        # Discovery and lists are met more gently, or nothing would ever be watched.
        spared = not self.meddling or (not watch and self._random.random() < 0.7)
        fault = "none" if spared else self._random.choice(known)
        if watch:
            self.met[fault] += 1
        if fault == "refused":
            return
        if fault in {"429", "500", "503", "gone"}:
            code = 410 if fault == "gone" else int(fault)
            await _send(writer, code, json.dumps({"code": code, "reason": "Meddled"}).encode())
            return
        await self._relay(head, writer, fault)

    async def _relay(self, head: str, writer: asyncio.StreamWriter, fault: str) -> None:
        there, to = await asyncio.open_connection("127.0.0.1", self._api_port, ssl=self._tls)
        try:
            lines = [each for each in head.split("\r\n") if not each.lower().startswith("connec")]
            to.write("\r\n".join([lines[0], "connection: close", *lines[1:]]).encode())
            writer.write(await there.readuntil(b"\r\n\r\n"))
            if inserted := _inserted(fault):
                writer.write(b"%x\r\n%s\r\n" % (len(inserted), inserted))
            left = self._random.randrange(3000) if fault in {"cut", "half-open"} else -1
            while left and (data := await there.read(left if left > 0 else 65536)):
                writer.write(data)
                await writer.drain()
                left -= len(data) if left > 0 else 0
            if fault == "half-open":
                await asyncio.sleep(60)
        finally:
            to.transport.abort()


def _inserted(fault: str) -> bytes:
    """What it says on its own in a watch, as the first chunk."""
    match fault:
        case "garbage":
            return b"<html>a proxy between us</html>\n"
        case "gone-event" | "error-event":
            code = 410 if fault == "gone-event" else 500
            return json.dumps({"type": "ERROR", "object": {"code": code}}).encode() + b"\n"
        case _:
            return b""


async def _send(writer: asyncio.StreamWriter, code: int, body: bytes) -> None:
    head = f"HTTP/1.1 {code} X\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
