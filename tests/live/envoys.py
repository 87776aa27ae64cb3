"""Envoys with a static listener, for tests of how they are run."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2

from serai.envoy.binary import EnvoyBinary, find_envoy
from serai.envoy.bootstrap import BootstrapSettings, UnixSocket, bootstrap, render
from serai.envoy.event import FleetEvent
from serai.envoy.fleet import Fleet
from serai.envoy.launch import GatewaySpec
from serai.envoy.pid import processes, send
from serai.envoy.restarts import RestartPolicy
from serai.envoy.state import Instance, claim

GATEWAY = "infra/edge"
SETTINGS = BootstrapSettings(gateway=GATEWAY, node_id="test", xds=UnixSocket("/nowhere"))
QUICK = RestartPolicy(first_seconds=0.02, longest_seconds=0.1)
SECONDS = 8.0
"""For anything that is waited for; on a quiet machine all of it takes less than one."""

OWNER = """
import asyncio, sys
from pathlib import Path
import serai.envoy.fleet as fleets
from serai.envoy.binary import find_envoy
from serai.envoy.launch import GatewaySpec
from serai.envoy.state import claim

async def main(root, bootstrap, binding):
    if binding != "none":
        fleets.binding = lambda bind_life: binding
    fleet = fleets.Fleet(find_envoy()[0], claim(Path(root), ["files"]), bind_life=binding != "none")
    await fleet.ensure({"infra/edge": GatewaySpec(bootstrap=Path(bootstrap).read_bytes())})
    await fleet.wait_ready()
    print("pid", fleet.statuses()[0].pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main(*sys.argv[1:]))
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def spec(port: int, upstream: int = 1, *, body: str = "hi", drain_seconds: int = 15) -> GatewaySpec:
    """An Envoy that listens on `port`, answers `body`, and sends /up to `upstream`."""
    config = bootstrap(SETTINGS)
    del config["dynamic_resources"]
    any_type = "type.googleapis.com/envoy.extensions.filters."
    routes = [
        {"match": {"prefix": "/up"}, "route": {"cluster": "up", "timeout": "0s"}},
        {
            "match": {"prefix": "/"},
            "direct_response": {"status": 200, "body": {"inline_string": body}},
        },
    ]
    manager = {
        "@type": any_type + "network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "test",
        "route_config": {"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": routes}]},
        "http_filters": [
            {"name": "router", "typed_config": {"@type": any_type + "http.router.v3.Router"}}
        ],
    }
    config["static_resources"]["listeners"] = [
        {
            "name": "test",
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
            "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
        }
    ]
    address = {"socket_address": {"address": "127.0.0.1", "port_value": upstream}}
    config["static_resources"]["clusters"].append(
        {
            "name": "up",
            "type": "STATIC",
            "load_assignment": {
                "cluster_name": "up",
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
            },
        }
    )
    return GatewaySpec(bootstrap=render(config), concurrency=1, drain_seconds=drain_seconds)


@functools.cache
def the_envoy() -> EnvoyBinary:
    found, _ = find_envoy()
    assert found is not None
    return found


def end_what_names(root: Path) -> list[tuple[str, ...]]:
    """End the processes that were left behind by a test, and return what they were."""
    left = [
        (pid, command)
        for pid, command in processes()
        if any(str(root) in argument for argument in command)
    ]
    for pid, _ in left:
        send(pid, signal.SIGKILL)
    return [command for _, command in left]


class Running:
    """A fleet with what it told."""

    def __init__(self, root: Path) -> None:
        instance = claim(root, ["files"])
        assert isinstance(instance, Instance)
        self.instance = instance
        self.events: list[FleetEvent] = []
        self.heard = asyncio.Event()
        self.fleet = Fleet(the_envoy(), instance, policy=QUICK, on_event=self.hear)

    def hear(self, event: FleetEvent) -> None:
        self.events.append(event)
        self.heard.set()

    def told(self, kind: str) -> list[FleetEvent]:
        return [event for event in self.events if event.kind == kind]

    async def until(self, kind: str, count: int = 1) -> FleetEvent:
        async with asyncio.timeout(SECONDS):
            while len(self.told(kind)) < count:
                self.heard.clear()
                await self.heard.wait()
        return self.told(kind)[count - 1]

    async def ready(self, **gateways: GatewaySpec) -> int:
        """Run these, and return the process number of the first."""
        async with asyncio.timeout(SECONDS):
            await self.fleet.ensure({f"infra/{name}": each for name, each in gateways.items()})
            await self.fleet.wait_ready()
        return self.fleet.statuses()[0].pid


@contextlib.asynccontextmanager
async def running(root: Path) -> AsyncIterator[Running]:
    """A fleet whose Envoys are ended with the test, however it goes."""
    made = Running(root)
    try:
        yield made
    finally:
        await made.fleet.stop(drain=False)
        made.instance.release()


@contextlib.asynccontextmanager
async def owner(
    root: Path, of: GatewaySpec, binding: str = "none"
) -> AsyncIterator[tuple[int, int]]:
    """Another process with a fleet: its number and that of its Envoy."""
    file = root / "owner.bootstrap"
    file.write_bytes(of.bootstrap)
    command = (sys.executable, "-c", OWNER, str(root), str(file), binding)
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert child.stdout is not None
        async with asyncio.timeout(SECONDS):
            # Its log goes to the same pipe.
            while not (line := await child.stdout.readline()).startswith(b"pid "):
                assert line, "the owner ended"
        yield child.pid, int(line[4:])
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


def spoil_records(root: Path) -> None:
    for path in root.glob("*/*.json"):
        if "bootstrap" not in path.name:
            path.write_text("{half a rec")


def admin_address(root: Path) -> str:
    (path,) = root.glob("*/*.admin")
    return path.read_text()


def content(root: Path) -> list[Path]:
    return list(root.iterdir())


async def get(port: int, path: str = "/") -> str:
    async with httpx2.AsyncClient(trust_env=False, verify=False) as client:
        answer = await client.get(f"http://127.0.0.1:{port}{path}", timeout=SECONDS)
        answer.raise_for_status()
        return answer.text


@contextlib.asynccontextmanager
async def slow_upstream(seconds: float) -> AsyncIterator[tuple[int, asyncio.Event]]:
    """A server that takes its time; its port, and whether a request has arrived."""
    arrived = asyncio.Event()
    writers: list[asyncio.StreamWriter] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        with contextlib.suppress(TimeoutError):
            # The client may leave earlier.
            await asyncio.wait_for(reader.read(), seconds)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nslow")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], arrived
    for writer in writers:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
