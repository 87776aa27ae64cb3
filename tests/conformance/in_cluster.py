"""The same tests against `serai controller`, a real API server and what it deploys, run here.

Objects, statuses, generations, ages and addresses are the API server's, as the suite itself sees
them.  Only the suite's backends stay what they are in the replay: echo servers of this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from conformance.world import MESH, WAYPOINT, WAYPOINT_PORT, Object
from kube.assets import TOKENS, ApiServer
from kube.node.network import Network as PodNetwork
from kube.node.node import Node
from kube.node.ztunnel import relay
from live.envoys import free_port
from serai.api.kinds import KINDS
from serai.envoy.binary import find_envoy
from serai.kube.resource import Resource
from serai.kube.wire import Name

_TAG = random.randrange(100, 200)
"""So that several runs on one machine keep out of each other's way."""
PODS, NODE, BALANCERS = f"10.{_TAG}.200", f"10.{_TAG}", f"10.{_TAG + 50}"
"""Of the suite's backends, of what is deployed, and of its load balancers."""
APPLY = "application/apply-patch+yaml"
STAYS = frozenset({"Namespace", "ServiceAccount"})
"""Nobody here ends a namespace."""

Key = tuple[str, str, str]


class Server:
    """The objects of a world, kept in an API server."""

    def __init__(self, api: ApiServer, ztunnel: tuple[str, int]) -> None:
        self.ztunnel = ztunnel
        """Where connections for the waypoint are taken."""
        self._client = httpx2.Client(
            base_url=api.server,
            verify=False,
            headers={"Authorization": f"Bearer {TOKENS['admin'][0]}"},
            timeout=30,
        )
        self._applied: dict[Key, bytes] = {}
        self._kept: dict[Key, Object] = {}
        self._resources = {kind.name: kind for kind in KINDS}

    def close(self) -> None:
        """End all connections."""
        self._client.close()

    def keep(self, objects: Mapping[Key, Object]) -> None:
        """Apply what is new or other than before; delete what is gone."""
        for key in self._applied.keys() - objects.keys():
            if key[0] not in STAYS:
                self._ask("DELETE", self._path(key)).raise_for_status()
            del self._applied[key], self._kept[key]
        there = {name for kind, _, name in objects if kind == "Namespace"}
        for key in sorted(objects, key=lambda each: each[0] != "Namespace"):
            if not key[1] or key[1] in there:  # certificates are of all bases' namespaces
                self._apply(key, objects[key])

    def status(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        """What an object's status says."""
        answer = self._ask("GET", self._path((kind, namespace, name)))
        return answer.json().get("status", {}) if answer.is_success else {}

    def _apply(self, key: Key, obj: Object) -> None:
        wanted = _plain(obj)
        text = msgspec.json.encode(wanted, order="sorted")
        if self._applied.get(key) != text:
            self._kept.setdefault(key, wanted)
            answer = self._ask("PATCH", self._path(key), wanted)
            assert answer.is_success, f"{key}: {answer.text}"
            if obj["kind"] == "Pod":
                status = {**wanted, "status": obj["status"]}
                self._ask("PATCH", self._path(key, "status"), status).raise_for_status()
            self._applied[key], self._kept[key] = text, answer.json()
        kept = self._kept[key]
        obj["metadata"]["generation"] = kept["metadata"].get("generation", 1)
        if obj["kind"] == "Service":
            obj["spec"]["clusterIP"] = kept["spec"]["clusterIP"]

    def _path(self, key: Key, subresource: str = "") -> str:
        kind, kept = self._resources[key[0]], self._kept.get(key, {})
        version = kept.get("apiVersion", kind.versions[0]).rpartition("/")[2]
        resource = Resource(kind.group, version, kind.plural, kind.name)
        return resource.path(Name(key[1], key[2]), subresource)

    def _ask(self, method: str, path: str, body: Object | None = None) -> httpx2.Response:
        params = {"fieldManager": "suite", "force": "true"} if method == "PATCH" else {}
        headers = {"Content-Type": APPLY} if method == "PATCH" else {}
        content = msgspec.json.encode(body) if body else None
        return self._client.request(method, path, params=params, headers=headers, content=content)


def _plain(obj: Object) -> Object:
    """What a person would apply: nothing that is the API server's to say."""
    given = {"generation", "creationTimestamp"}
    metadata = {key: value for key, value in obj["metadata"].items() if key not in given}
    found = {**obj, "metadata": metadata}
    found.pop("status", None)
    if obj["kind"] == "Service":
        found["spec"] = {key: value for key, value in obj["spec"].items() if key != "clusterIP"}
    return found


@contextlib.contextmanager
def cluster(api: ApiServer, folder: Path) -> Iterator[Server]:
    """A controller, and a node for what it deploys."""
    subprocess.run(["ip", "route", "replace", "local", f"{PODS}.0/24", "dev", "lo"], check=True)
    with contextlib.ExitStack() as stack:
        ztunnel = stack.enter_context(_node(api, folder / "pods"))
        stack.enter_context(_controller(api, folder))
        server = Server(api, ztunnel)
        stack.callback(server.close)
        yield server


@contextlib.contextmanager
def _controller(api: ApiServer, folder: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "serai", "controller"]
    command += ["--kubeconfig", str(api.kubeconfig_file()), "--namespace", "default"]
    command += ["--xds", f"0.0.0.0:{free_port()}", "--admin", "127.0.0.1:0", "--log-format", "json"]
    command += ["--proxy-image", "envoy", "--xds-host", "169.254.77.1"]
    with (folder / "controller.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


@contextlib.contextmanager
def _node(api: ApiServer, folder: Path) -> Iterator[tuple[str, int]]:
    """A node in a thread of its own; where its ztunnel takes connections for the waypoint."""
    binary, problems = find_envoy()
    assert binary is not None, problems
    network = PodNetwork(f"suite{_TAG}", NODE, BALANCERS)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    running = contextlib.AsyncExitStack()

    async def start() -> tuple[str, int]:
        access = api.access()
        running.push_async_callback(access.close)
        node = Node(access, network, Path(binary.path), folder)
        task = asyncio.ensure_future(node.run())
        running.push_async_callback(_ended, task)
        server = await relay(lambda: node.space(MESH, WAYPOINT), WAYPOINT_PORT)
        running.callback(server.close)
        host, port = server.sockets[0].getsockname()
        return str(host), int(port)

    ztunnel = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield ztunnel
    finally:
        asyncio.run_coroutine_threadsafe(running.aclose(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()
        network.close()


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
