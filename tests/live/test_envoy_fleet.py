"""Real Envoys: started, restarted, adopted, replaced, drained, stopped, and none left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import msgspec
import pytest

from serai.envoy.admin import Admin
from serai.envoy.binary import EnvoyBinary, find_envoy
from serai.envoy.bootstrap import BootstrapSettings, UnixSocket, bootstrap, render
from serai.envoy.event import FleetEvent
from serai.envoy.fleet import Fleet
from serai.envoy.launch import GatewaySpec
from serai.envoy.leftovers import stop_leftovers
from serai.envoy.pid import exited, pid_of, processes, send
from serai.envoy.restarts import RestartPolicy
from serai.envoy.state import Instance, claim

pytestmark = pytest.mark.live

GATEWAY = "infra/edge"
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
    settings = BootstrapSettings(gateway=GATEWAY, node_id="test", xds=UnixSocket("/nowhere"))
    config = bootstrap(settings)
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


@pytest.fixture(scope="module")
def envoy() -> EnvoyBinary:
    found, _ = find_envoy()
    assert found is not None
    return found


@pytest.fixture(autouse=True)
def _nothing_left_behind(tmp_path: Path) -> Iterator[None]:
    yield
    left = [
        (pid, command)
        for pid, command in processes()
        if any(str(tmp_path) in argument for argument in command)
    ]
    for pid, _ in left:
        send(pid, signal.SIGKILL)
    assert left == []


@pytest.fixture
def port() -> int:
    return free_port()


class Running:
    """A fleet with what it told."""

    def __init__(self, envoy: EnvoyBinary, root: Path) -> None:
        instance = claim(root, ["files"])
        assert isinstance(instance, Instance)
        self.instance = instance
        self.events: list[FleetEvent] = []
        self.heard = asyncio.Event()
        self.fleet = Fleet(envoy, instance, policy=QUICK, on_event=self.hear)

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
async def running(envoy: EnvoyBinary, root: Path) -> AsyncIterator[Running]:
    """A fleet whose Envoys are ended with the test, however it goes."""
    made = Running(envoy, root)
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


async def test_killed_it_is_told_and_started_again(
    envoy: EnvoyBinary, tmp_path: Path, port: int
) -> None:
    async with running(envoy, tmp_path) as made:
        first = await made.ready(edge=spec(port))
        assert await get(port) == "hi"
        os.kill(first, signal.SIGKILL)
        died = await made.until("died")
        assert died.message == (
            f"Envoy of Gateway {GATEWAY} (pid {first}) ended by SIGKILL;"
            " it is started again in 0.02 s."
        )
        await made.until("ready", 2)
        assert await get(port) == "hi"
        (status,) = made.fleet.statuses()
        assert (status.state, status.restarts, status.adopted) == ("ready", 1, False)
        assert status.pid != first
        assert made.fleet.had_deaths


async def test_one_that_can_not_live_is_a_crash_loop_until_its_settings_change(
    envoy: EnvoyBinary, tmp_path: Path, port: int
) -> None:
    broken = msgspec.json.decode(spec(port).bootstrap)
    broken["static_resources"]["clusters"][0]["no_such_field"] = 1
    async with running(envoy, tmp_path) as made:
        await made.fleet.ensure({GATEWAY: GatewaySpec(bootstrap=render(broken))})
        event = await made.until("crash-looping")
        assert "died 3 times in a row" in event.message
        assert "no_such_field" in event.message
        assert made.fleet.statuses()[0].state == "crash-looping"
        await made.ready(edge=spec(port))
        assert await get(port) == "hi"
        assert made.fleet.statuses()[0].state == "ready"


async def test_killed_serai_leaves_an_envoy_that_serves_and_is_adopted(
    envoy: EnvoyBinary, tmp_path: Path, port: int
) -> None:
    wanted = GatewaySpec(bootstrap=spec(port).bootstrap)
    async with owner(tmp_path, wanted) as (serai, pid):
        os.kill(serai, signal.SIGKILL)
        started = pid_of(pid)
    assert await get(port) == "hi"
    async with running(envoy, tmp_path) as made:
        assert await made.ready(edge=wanted) == pid
        assert [event.kind for event in made.events] == ["adopted", "ready"]
        assert made.fleet.statuses()[0].adopted
        assert pid_of(pid) == started
        # An adopted Envoy is no child of ours, and its death is noticed all the same.
        os.kill(pid, signal.SIGKILL)
        await made.until("died")
        await made.until("ready", 2)
        assert await get(port) == "hi"


async def test_one_with_other_settings_is_replaced_without_a_failed_request(
    envoy: EnvoyBinary, tmp_path: Path, port: int
) -> None:
    if sys.platform != "linux":
        pytest.skip("elsewhere two Envoys can't share a port, so there is a gap")
    answers: list[str] = []

    async def load() -> None:
        while True:
            answers.append(await get(port))

    async with running(envoy, tmp_path) as first:
        old = await first.ready(edge=spec(port, body="old"))
        await first.fleet.detach()
        first.instance.release()
        async with running(envoy, tmp_path) as second:
            loading = asyncio.create_task(load())
            new = await second.ready(edge=spec(port, body="new"))
            await second.until("stopped")
            answers.append(await get(port))
            loading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await loading
            kinds = [event.kind for event in second.events]
            assert kinds == ["outdated", "started", "ready", "draining", "stopped"]
        first.instance = claim(tmp_path, ["files"])  # type: ignore[assignment]
    assert old != new
    assert pid_of(old) is None
    assert set(answers) == {"old", "new"}
    assert answers[-1] == "new"


async def test_new_settings_at_run_time_and_a_gateway_that_leaves(
    envoy: EnvoyBinary, tmp_path: Path, port: int
) -> None:
    other = free_port()
    async with running(envoy, tmp_path) as made:
        await made.ready(edge=spec(port, body="a"), other=spec(other))
        kept = made.fleet.statuses()[1].pid
        await made.ready(edge=spec(port, body="b"), other=spec(other))
        await made.until("stopped")
        assert await get(port) == "b"
        assert made.fleet.statuses()[1].pid == kept
        await made.ready(other=spec(other))
        await made.until("stopped", 2)
        with pytest.raises(httpx2.ConnectError):
            await get(port)
        assert await get(other) == "hi"


async def test_an_envoy_without_a_record_is_ended_not_forgotten(
    envoy: EnvoyBinary, tmp_path: Path, port: int
) -> None:
    wanted = GatewaySpec(bootstrap=spec(port).bootstrap)
    async with owner(tmp_path, wanted) as (_, pid):
        pass
    spoil_records(tmp_path)
    async with running(envoy, tmp_path) as made:
        assert await made.ready(edge=wanted) != pid
        await made.until("stopped")
        assert pid_of(pid) is None
        assert await get(port) == "hi"


@pytest.mark.parametrize("binding", ["kernel", "watchdog"])
async def test_an_envoy_bound_to_us_ends_when_we_are_killed(
    tmp_path: Path, port: int, binding: str
) -> None:
    if binding == "kernel" and sys.platform != "linux":
        pytest.skip("PR_SET_PDEATHSIG is Linux's")
    async with owner(tmp_path, spec(port), binding) as (serai, number):
        pid = pid_of(number)
        assert pid is not None
        os.kill(serai, signal.SIGKILL)
        async with asyncio.timeout(SECONDS):
            await exited(pid)
    assert pid_of(number) is None


async def test_stop_lets_a_request_in_flight_finish(
    envoy: EnvoyBinary, tmp_path: Path, port: int
) -> None:
    async with slow_upstream(1.0) as (upstream, arrived), running(envoy, tmp_path) as made:
        await made.ready(edge=spec(port, upstream))
        request = asyncio.create_task(get(port, "/up"))
        await asyncio.wait_for(arrived.wait(), SECONDS)
        begun = time.monotonic()
        stopping = asyncio.create_task(made.fleet.stop())
        await made.until("draining")
        assert made.fleet.statuses()[0].state == "draining"
        assert await request == "slow"
        await stopping
        assert 0.5 < time.monotonic() - begun < SECONDS
        assert made.fleet.statuses() == ()
        with pytest.raises(httpx2.ConnectError):
            await get(port)
    assert content(tmp_path) == []


async def test_draining_ends_after_its_time_and_at_once_for_the_impatient(
    envoy: EnvoyBinary, tmp_path: Path, port: int
) -> None:
    async with slow_upstream(30.0) as (upstream, arrived), running(envoy, tmp_path) as made:
        await made.ready(edge=spec(port, upstream, drain_seconds=1))
        request = asyncio.create_task(get(port, "/up"))
        await asyncio.wait_for(arrived.wait(), SECONDS)
        await asyncio.wait_for(made.fleet.stop(), SECONDS)
        with pytest.raises(httpx2.HTTPError):
            await request

        arrived.clear()
        await made.ready(edge=spec(port, upstream, drain_seconds=60))
        request = asyncio.create_task(get(port, "/up"))
        await asyncio.wait_for(arrived.wait(), SECONDS)
        patient = asyncio.create_task(made.fleet.stop())
        await made.until("draining", 2)
        await asyncio.wait_for(made.fleet.stop(drain=False), SECONDS)
        await asyncio.wait_for(patient, SECONDS)
        with pytest.raises(httpx2.HTTPError):
            await request


async def test_leftovers_are_ended_and_the_living_left_alone(tmp_path: Path, port: int) -> None:
    async with owner(tmp_path, spec(port)) as (serai, pid):
        alone = await stop_leftovers(tmp_path)
        assert alone.ended == ()
        assert f"pid {serai}" in alone.problems[0].message
        assert await get(port) == "hi"
        os.kill(serai, signal.SIGKILL)
    assert (await stop_leftovers(tmp_path, only="another")).ended == ()
    result = await stop_leftovers(tmp_path)
    assert [(each.gateway, each.pid) for each in result.ended] == [(GATEWAY, pid)]
    assert result.problems == ()
    assert pid_of(pid) is None
    assert [path.name for path in content(tmp_path)] == ["owner.bootstrap"]
    assert (await stop_leftovers(tmp_path)).ended == ()


async def test_a_port_in_use_is_told_with_who_has_it(
    envoy: EnvoyBinary, tmp_path: Path, port: int
) -> None:
    async with running(envoy, tmp_path) as made:
        with socket.create_server(("127.0.0.1", port)):
            await made.fleet.ensure({GATEWAY: spec(port)})
            event = await made.until("port-taken")
        assert f"Port 127.0.0.1:{port} is taken by" in event.message
        assert f"(pid {os.getpid()} of" in event.message
        assert f"Gateway {GATEWAY} can't listen there" in event.message
        # It is free now, and found to be so.
        await asyncio.wait_for(made.fleet.wait_ready(), SECONDS)
        assert len(made.told("port-taken")) == 1


async def test_what_the_admin_interface_says(envoy: EnvoyBinary, tmp_path: Path, port: int) -> None:
    async with slow_upstream(0.0) as (upstream, _), running(envoy, tmp_path) as made:
        await made.ready(edge=spec(port, upstream))
        assert await get(port, "/up") == "slow"
        async with Admin(made.fleet.statuses()[0].admin) as admin:
            assert await admin.is_ready()
            assert (await admin.server_info())["node"]["cluster"] == GATEWAY
            up = next(each for each in await admin.clusters() if each.name == "up")
            (endpoint,) = up.endpoints
            assert endpoint.address == f"127.0.0.1:{upstream}"
            assert (endpoint.healthy, endpoint.requests, endpoint.errors) == (True, 1, 0)
            stats = await admin.stats(r"^cluster\.up\.")
            assert stats["cluster.up.upstream_rq_total"] == 1
            assert stats["cluster.up.membership_healthy"] == 1
            assert len(await admin.stats()) < 250
            assert "configs" in await admin.config_dump()
            assert await admin.busy() == 0
