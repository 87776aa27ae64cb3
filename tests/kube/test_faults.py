"""Faults that a real API server cannot be made to show, over the real transport."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from random import Random
from urllib.parse import parse_qs, urlsplit

from lightkube import KubeConfig
from lightkube.config.models import Cluster

from kube.store import Store, names
from kube.waiting import until
from serai.kube.access import access_of
from serai.kube.reflector import Delta, Reflector
from serai.kube.resource import Resource
from serai.kube.watcher import Watcher
from serai.kube.wire import Event, Failure, Name

WIDGETS = Resource("serai.test", "v1", "widgets", "Widget")
FAULTS = ("none", "half-open", "cut", "gone", "429", "500", "garbage", "error-event")
BROKEN = (ConnectionError, asyncio.IncompleteReadError)


class Server:
    """An API server of one kind, whose watches and lists end in every bad way."""

    def __init__(self, random: Random) -> None:
        self.store = Store()
        self.random = random
        self.faulty = True
        self.met: dict[str, int] = dict.fromkeys(FAULTS, 0)
        self.serving: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        task.add_done_callback(self.serving.discard)
        with contextlib.closing(writer), contextlib.suppress(*BROKEN):
            target = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1].decode()
            query = {key: each[0] for key, each in parse_qs(urlsplit(target).query).items()}
            fault = self.random.choice(FAULTS) if self.faulty else "none"
            self.met[fault] += 1
            await self.answer(writer, query, fault)

    async def answer(self, writer: asyncio.StreamWriter, query: dict[str, str], fault: str) -> None:
        if fault in {"429", "500"}:
            body = {"reason": "Busy", "message": "not now", "code": int(fault)}
            await send(writer, body, int(fault))
        elif "watch" in query:
            await self.watch(writer, query["resourceVersion"], fault)
        else:
            found = self.store.page(2, query.get("continue", ""))
            if isinstance(found, Failure) or fault == "gone":
                await send(writer, {"code": 410, "reason": "Expired"}, 410)
                return
            meta = {"resourceVersion": found.version, "continue": found.more}
            items = [json.loads(item.raw) for item in found.items]
            await send(writer, {"metadata": meta, "items": items})

    async def watch(self, writer: asyncio.StreamWriter, version: str, fault: str) -> None:
        if fault == "gone":
            self.store.compact()
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
        events = self.store.after(version)
        if isinstance(events, Failure):
            writer.write(error_event(410))
        else:
            kept = len(events) if fault == "none" else self.random.randrange(len(events) + 1)
            lines = b"".join(line(each) for each in events[:kept])
            if fault == "cut":
                lines = lines[: self.random.randrange(len(lines) + 1)]
            writer.write(lines)
        if fault == "garbage":
            writer.write(b"<html>a proxy between us\n")
        if fault == "error-event":
            writer.write(error_event(500))
        await writer.drain()
        if fault == "half-open":
            await asyncio.sleep(30)


async def send(writer: asyncio.StreamWriter, body: object, status: int = 200) -> None:
    data = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(data)}\r\nconnection: close\r\n\r\n"
    writer.write(head.encode() + data)
    await writer.drain()


def line(event: Event) -> bytes:
    return json.dumps({"type": event.type, "object": json.loads(event.item.raw)}).encode() + b"\n"


def error_event(code: int) -> bytes:
    return json.dumps({"type": "ERROR", "object": {"code": code, "message": "no"}}).encode() + b"\n"


@contextlib.asynccontextmanager
async def following(server: Server) -> AsyncIterator[dict[Name, bytes]]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    access = access_of(KubeConfig.from_one(cluster=Cluster(f"http://127.0.0.1:{port}")).get())
    mirror: dict[Name, bytes] = {}

    def hear(delta: Delta) -> None:
        for name in delta.gone:
            mirror.pop(name, None)
        mirror.update({item.name: item.raw for item in delta.put})

    async def find() -> Resource:
        return WIDGETS

    reflector = Reflector(server.random)
    # The same waits, a hundred times shorter.
    reflector._backoff._first = reflector._backoff._delay = 0.008
    reflector._backoff._longest = 0.05
    watcher = Watcher(access, "Widget", find, reflector, hear)
    watcher.silence = 0.1
    task = asyncio.create_task(watcher.run())
    try:
        yield mirror
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        listening.close()
        await access.close()
        half_open = tuple(server.serving)
        for each in half_open:
            each.cancel()
        await asyncio.gather(*half_open, return_exceptions=True)


async def test_a_watch_broken_a_hundred_times_in_every_way_loses_nothing() -> None:
    server = Server(Random(7))
    known = list(names())
    async with following(server) as mirror:
        while sum(server.met.values()) - server.met["none"] < 100:
            name = server.random.choice(known)
            if name in server.store.objects and server.random.random() < 0.4:
                server.store.delete(name)
            else:
                server.store.put(name)
            await asyncio.sleep(0.01)
        server.faulty = False

        def same() -> bool:
            there = {name: item.version for name, item in server.store.objects.items()}
            held = {n: json.loads(r)["metadata"]["resourceVersion"] for n, r in mirror.items()}
            return held == there

        await until(same)
    assert all(server.met[fault] for fault in FAULTS), server.met


async def test_a_watch_refused_at_first_is_no_trouble_once_it_is_answered() -> None:
    asked = lists = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked, lists
        with contextlib.closing(writer), contextlib.suppress(*BROKEN):
            target = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1].decode()
            if "watch" not in target:
                lists += 1
                await send(writer, {"metadata": {"resourceVersion": "1"}, "items": []})
                return
            asked += 1
            if asked == 1:
                await send(writer, {"reason": "TooManyRequests", "code": 429}, 429)
                return
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
            await writer.drain()
            await quiet.wait()

    async def find() -> Resource:
        return WIDGETS

    quiet = asyncio.Event()
    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    access = access_of(KubeConfig.from_one(cluster=Cluster(f"http://127.0.0.1:{port}")).get())
    reflector = Reflector(Random(1))
    heard: list[str] = []
    watcher = Watcher(
        access, "Widget", find, reflector, lambda _: heard.append(str(reflector.trouble or ""))
    )
    task = asyncio.create_task(watcher.run())
    try:
        await until(lambda: asked == 2 and reflector.trouble is None)
        assert "429" in heard[-2]
        assert not heard[-1], "and it is told"
        assert lists == 1
    finally:
        task.cancel()
        quiet.set()
        await asyncio.gather(task, return_exceptions=True)
        listening.close()
        await access.close()
