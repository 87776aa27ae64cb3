"""Translation, first sync and one change, at several numbers of services.

``python -m bench.first`` prints a table; ``python -m bench.first 1000`` one line of JSON.
Each number runs in a process of its own, so that memory is its own too.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from bench.worlds import PORT, WAYPOINT, kubernetes_service, vip, world
from serai.app.client.http import Entry, HttpAnswer, HttpRequest, send
from serai.app.core import Core
from serai.echo.endpoint import EchoEndpoint, Identity
from serai.echo.server import echo
from serai.envoy.binary import find_envoy
from serai.envoy.bootstrap import BootstrapSettings, UnixSocket, bootstrap, render
from serai.envoy.fleet import Fleet
from serai.envoy.launch import GatewaySpec
from serai.envoy.state import Instance, claim
from serai.model.settings import Settings
from serai.server.ads import AdsServer
from serai.telemetry.logging import configure

SIZES = (100, 1_000, 10_000)
CHANGES = 30
ADDRESSES = ("127.99.0.1", "127.99.0.2")
ENDPOINT_PORT = 39_000
PROXY_PORT = 39_088
MEBIBYTE = 1024 * 1024


async def measure(services: int) -> dict[str, float]:
    """All figures for one number of services: seconds, milliseconds, mebibytes."""
    objects = list(world(services, ADDRESSES[:1], ENDPOINT_PORT, PROXY_PORT))
    gc.disable()
    core = Core(Settings())
    began = time.perf_counter()
    committed = core.apply(objects)
    figures = {"services": services, "translate_s": time.perf_counter() - began}
    gc.enable()
    gc.freeze()
    figures["serai_mib"] = psutil.Process().memory_info().rss / MEBIBYTE
    stand_ins = [EchoEndpoint(each, ENDPOINT_PORT, Identity(pod=each)) for each in ADDRESSES]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        instance = claim(Path(folder), ["bench"])
        binary, _ = find_envoy()
        if not isinstance(instance, Instance) or binary is None:
            raise SystemExit("no state folder or no Envoy")
        fleet, server = Fleet(binary, instance, bind_life=True), AdsServer()
        async with echo(stand_ins):
            try:
                server.publish(committed.resources)
                server.mark_ready()
                await server.start(f"unix:{instance.xds_socket}")
                figures |= await _in_envoy(core, server, fleet, instance, services)
            finally:
                await fleet.stop(drain=False)
                await server.stop()
    return figures


async def _in_envoy(
    core: Core, server: AdsServer, fleet: Fleet, instance: Instance, services: int
) -> dict[str, float]:
    began = time.perf_counter()
    settings = BootstrapSettings(
        gateway=WAYPOINT, node_id="bench", xds=UnixSocket(str(instance.xds_socket))
    )
    await fleet.ensure({WAYPOINT: GatewaySpec(bootstrap=render(bootstrap(settings)))})
    await _until_answered_by(services - 1 - services % 2, ADDRESSES[0])
    figures = {"first_sync_s": time.perf_counter() - began}
    waits = [await _change(core, server, number) for number in range(CHANGES)]
    envoy = psutil.Process(fleet.statuses()[0].pid)
    return figures | {
        "change_p50_ms": statistics.median(waits) * 1000,
        "change_max_ms": max(waits) * 1000,
        "envoy_mib": envoy.memory_info().rss / MEBIBYTE,
    }


async def _change(core: Core, server: AdsServer, number: int) -> float:
    """Seconds from a new EndpointSlice until Envoy answers from it."""
    service = 2 * (number // 2)
    address = ADDRESSES[1 - number % 2]
    _, endpoint_slice = kubernetes_service(service, (address,), ENDPOINT_PORT)
    began = time.perf_counter()
    server.publish(core.apply([endpoint_slice]).resources)
    await _until_answered_by(service, address)
    return time.perf_counter() - began


async def _until_answered_by(service: int, address: str) -> None:
    entry = Entry(connect=("127.0.0.1", PROXY_PORT), destination=(vip(service), PORT))
    request = HttpRequest(headers=(("host", "bench"),))
    async with asyncio.timeout(300):
        while True:
            answer = await send(entry, request, 5)
            if isinstance(answer, HttpAnswer) and f'"{address}"'.encode() in answer.body:
                return
            await asyncio.sleep(0.001)


def main() -> None:
    """Print the table, or the figures of one number."""
    if len(sys.argv) > 1:
        configure("error")
        print(json.dumps(asyncio.run(measure(int(sys.argv[1])))))
        return
    titles = (
        *("services", "translate s", "first sync s", "change p50 ms", "change max ms"),
        *("serai MiB", "envoy MiB"),
    )
    keys = (
        *("services", "translate_s", "first_sync_s", "change_p50_ms", "change_max_ms"),
        *("serai_mib", "envoy_mib"),
    )
    print("  ".join(title.rjust(13) for title in titles))
    for size in SIZES:
        command = [sys.executable, "-m", "bench.first", str(size)]
        figures = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        shown = (
            f"{figures[key]:.0f}" if key == "services" else f"{figures[key]:.2f}" for key in keys
        )
        print("  ".join(text.rjust(13) for text in shown), flush=True)


if __name__ == "__main__":
    main()
