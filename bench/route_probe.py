"""The route probe test of gateway-api-bench: 3,000 routes, one at a time, each until it answers.

``python -m bench.route_probe 0 RUNS`` prints a line of JSON.  At a gateway, as that test has it:
each route is for a host of its own, and a request to it goes from 404 to 200; any other answer, or
none, is an error.  And at a waypoint: each route is one of another service.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from bench.figures import Figures, Result, machine_load, summary
from bench.plan import RUNS
from bench.prober import Watch
from bench.processes import Prober, free_port, prober, upstream
from bench.product import Product, product, said
from bench.worlds import Ports, edge_route, frame, route, service, vip
from serai.telemetry.logging import configure


class Probe:
    """Serai, who asks, and what was found."""

    def __init__(self, serai: Product, asked: Prober, ports: Ports) -> None:
        self._serai, self._asked, self._ports = serai, asked, ports
        self.seconds: list[float] = []
        self.errors = 0

    async def at_gateway(self, number: int) -> None:
        """One more route of the gateway."""
        host = f"r{number}.example.com"
        await self._asked.begin(Watch(self._ports.edge, "", " 200 ", " 404 ", host=host))
        await self._take(edge_route(number))

    async def at_waypoint(self, number: int) -> None:
        """One more route of a service."""
        shows = "x-route: probe\r\n"
        await self._asked.begin(Watch(self._ports.mesh, vip(number), shows, " 200 "))
        await self._take(route(number, "probe"))

    async def _take(self, manifest: dict[str, object]) -> None:
        began = time.perf_counter()
        self._serai.tell([manifest])
        shown = await self._asked.shown()
        self.seconds.append(shown.at - began)
        self.errors += shown.errors

    def figures(self) -> Figures:
        """Of all, and of the first and the last tenth: whether it grows."""
        tenth = max(1, len(self.seconds) // 10)
        return {
            **summary(self.seconds, 1000),
            "errors": self.errors,
            "first_tenth": summary(self.seconds[:tenth], 1000),
            "last_tenth": summary(self.seconds[-tenth:], 1000),
        }


async def measure(routes: int) -> Figures:
    """Both, one after the other."""
    ports = Ports(free_port(), free_port(), free_port())
    manifests = frame(ports)
    for number in range(routes):
        manifests += service(number, ports.endpoints)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with (
            upstream(ports.endpoints),
            prober() as asked,
            product(Path(folder), [said(each) for each in manifests]) as serai,
        ):
            await asked.begin(Watch(ports.mesh, vip(routes - 1), " 200 ", fresh=True))
            await asked.shown()
            await asked.begin(Watch(ports.edge, "", " 404 ", fresh=True))
            await asked.shown()
            gateway, waypoint = (Probe(serai, asked, ports) for _ in range(2))
            for number in range(routes):
                await waypoint.at_waypoint(number)
            for number in range(routes):
                await gateway.at_gateway(number)
    return {"routes": routes, "gateway": gateway.figures(), "waypoint": waypoint.figures()}


def main(size: int, runs: str) -> None:
    """Measure it."""
    configure("error")
    began, load = time.perf_counter(), machine_load()
    figures = asyncio.run(measure(RUNS[runs].routes))
    took = round(time.perf_counter() - began, 1)
    print(msgspec.json.encode(Result("route_probe", size, figures, took, load)).decode())


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
