"""What is known of running Envoys: their word on endpoints, what they took, how they are."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from pathlib import Path

from live.mesh import entry, mesh, refuse_one
from live.serving import SECONDS, Place, serving, workload
from live.state import until_known
from serai.envoy.event import FleetEvent
from serai.views.clients import client_rows
from serai.views.endpoints import endpoint_rows, opinions_in_words
from serai.views.services import service_rows
from serai.views.state import State

NAMED = """
    apiVersion: networking.istio.io/v1
    kind: ServiceEntry
    metadata: {{name: {name}, namespace: shop}}
    spec:
      hosts: [{name}.example.com]
      addresses: [{vip}]
      ports: [{{number: 8000, name: http, protocol: HTTP, targetPort: 3000}}]
      resolution: DNS
      endpoints: [{{address: {address}}}]
    """


def endpoints(state: State) -> dict[str, tuple[str, str, str]]:
    return {
        row.service.rpartition("/")[2]: (row.address, row.status, opinions_in_words(row.envoys))
        for row in endpoint_rows(state)
    }


def counted(state: State) -> dict[str, str]:
    return {row.name: str(row.endpoints) for row in service_rows(state)}


async def test_envoys_say_what_they_think_of_endpoints(tmp_path: Path) -> None:
    place = Place()
    one = place.address()
    files = {
        "mesh.yaml": mesh(place),
        "pay.yaml": entry("pay", "240.0.0.7", one),
        "here.yaml": NAMED.format(name="here", vip="240.0.0.8", address="localhost"),
        "gone.yaml": NAMED.format(name="gone", vip="240.0.0.9", address="nowhere.invalid"),
    }
    async with serving(tmp_path, files, [workload(one, 3000, "pay-1")], place) as served:
        await until_known(served, lambda state: counted(state)["here"] == "1/1", health=True)
        seen = await served.instance.read(endpoints, health=True)
        counts = await served.instance.read(counted, health=True)
        unasked = await served.instance.read(counted)
        fleet = served.instance.fleet
        assert fleet is not None
        os.kill(fleet.statuses()[0].pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(1.1)  # its last answer stands for a second
            silent = await served.instance.read(endpoints, health=True)
        finally:
            os.kill(fleet.statuses()[0].pid, signal.SIGCONT)

    assert seen == {
        "pay": (f"{one}:3000", "ready", "healthy"),
        "here": ("127.0.0.1:3000", "ready", "healthy"),
        "gone": ("nowhere.invalid:3000", "no address found", "absent"),
    }
    assert counts == {"pay": "1/1", "here": "1/1", "gone": "0/0"}
    assert unasked == {"pay": "1/1", "here": "-", "gone": "-"}
    assert silent["pay"] == (f"{one}:3000", "ready", "unknown")
    assert silent["here"] == ("localhost:3000", "resolved by Envoy", "unknown")


async def test_what_is_sent_taken_and_refused_is_counted_and_followed(tmp_path: Path) -> None:
    place = Place()
    one = place.address()
    files = {
        "mesh.yaml": mesh(place),
        "pay.yaml": entry("pay", "240.0.0.7", one),
        "bad.yaml": entry("bad", "240.0.0.8", one),
    }
    async with serving(tmp_path, files, place=place) as served:
        await until_known(served, lambda state: client_rows(state)[0].state == "in step")
        before = served.instance.state().facts.counts
        assert before.pushed >= before.acknowledged > 0 == before.rejected
        following = served.instance.changes.follow()
        await anext(following)
        await refuse_one(served)
        after = served.instance.state().facts.counts
        assert after.rejected == 1 and after.pushed > before.pushed

        states = []
        async with asyncio.timeout(SECONDS):
            async for _ in following:
                states.append(client_rows(served.instance.state())[0].state)
                if states[-1] == "rejects 1":
                    break


async def test_what_happens_to_an_envoy_is_followed(tmp_path: Path) -> None:
    place = Place()
    events: list[FleetEvent] = []
    async with serving(tmp_path, {"mesh.yaml": mesh(place)}, place=place) as served:
        served.instance.on_event = events.append
        fleet = served.instance.fleet
        assert fleet is not None
        following = served.instance.changes.follow()
        os.kill(fleet.statuses()[0].pid, signal.SIGKILL)
        seen = set()
        async with asyncio.timeout(SECONDS):
            async for _ in following:
                envoys = served.instance.state().facts.envoys
                seen |= {(envoy.state, envoy.restarts) for envoy in envoys}
                if ("ready", 1) in seen and not served.instance.state().facts.clients:
                    continue
                if ("ready", 1) in seen:
                    break
    assert ("backoff", 1) in seen
    kinds = [event.kind for event in events]
    assert kinds.index("died") < kinds.index("started") < kinds.index("ready")


async def test_nothing_changes_while_somebody_reads(tmp_path: Path) -> None:
    place = Place()
    reading, go_on = threading.Event(), threading.Event()
    seen: list[int] = []

    def slowly(state: State) -> None:
        reading.set()
        go_on.wait(SECONDS)
        seen.append(len(service_rows(state)))

    async with serving(tmp_path, {"mesh.yaml": mesh(place)}, place=place) as served:
        asked = asyncio.create_task(served.instance.read(slowly))
        await asyncio.to_thread(reading.wait, SECONDS)
        # Who asked has gone, as a browser does; what reads for it is not done.
        asked.cancel()
        served.write("pay.yaml", entry("pay", "240.0.0.7", "127.0.0.1"))
        await asyncio.sleep(0.5)  # the loop runs on, and would have seen the file
        go_on.set()
        await until_known(served, lambda state: len(service_rows(state)) == 1)
    assert seen == [0]
