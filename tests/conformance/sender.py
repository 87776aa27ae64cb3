"""What a test's table asks for, sent."""

from __future__ import annotations

import copy
import uuid
from typing import Any

from conformance import clients
from conformance.certificates import text_of
from conformance.observed import Observed
from conformance.statuses import Lookup
from conformance.world import MESH, WAYPOINT, WAYPOINT_PORT, World

GRPC_ECHO = {"service": "gateway_api_conformance.echo_basic.grpcecho.GrpcEcho", "method": "Echo"}


class Sender:
    """Knows where a test's Gateways, services and pods are."""

    def __init__(self, world: World, lookup: Lookup, ztunnel: clients.Socket | None = None) -> None:
        """`ztunnel` is where connections for the waypoint are taken; None: it takes them itself."""
        self._world = world
        self._status = lookup
        self._ztunnel = ztunnel

    def fresh(self, case: dict[str, Any]) -> dict[str, Any]:
        """With a UUID of its own, and what stands for values of objects in their place."""
        case = copy.deepcopy(case)
        request, unique = case["request"], str(uuid.uuid4())
        arrived = case["expected"].get("backendRequest", {})
        added = request.get("addQueryParam")
        for holder in (request, arrived):
            if "path" in holder:
                path = holder["path"] or "/"
                if added:
                    path += ("&" if "?" in path else "?") + added
                holder["path"] = path.replace("{uuid}", unique)
        if isinstance(arrived.get("clientCert"), dict):
            arrived["clientCert"] = self._pem(arrived["clientCert"])
        return case

    async def ask(self, case: dict[str, Any]) -> tuple[Observed, str, str]:
        """Send a fresh case: what came of it, and the scheme and path that were asked for."""
        request = case["request"]
        path, scheme = request.get("path") or "/", request.get("scheme", "http")
        match case["kind"]:
            case "http" | "h2c":
                got = await clients.http(self.connect(case), request, path)
            case "https":
                got = await clients.https(self.connect(case), request, path, self._tls(request))
            case "grpc":
                got = await clients.rpc(self.connect(case), request)
            case "tcp":
                tls = request.get("tls")
                got = await clients.dialog(self.connect(case), tls, self._tls(request))
            case "tls-connect":
                got = await clients.handshake(self.connect(case), self._server_name(request))
            case "mesh-http":
                got = await self._mesh(case, path)
            case "mesh-grpc":
                got = await self._mesh_call(case)
            case _:
                raise NotImplementedError(case["kind"])
        return got, scheme, path

    # Where things are.

    def connect(self, case: dict[str, Any]) -> clients.Socket:
        """Where a case's Gateway says that it listens."""
        target = case["target"]
        named = target["gateway"]
        status = self._status("Gateway", named["namespace"], named["name"])
        address = next((each["value"] for each in status.get("addresses", [])), "127.0.0.0")
        return address, target["port"]

    def _pem(self, reference: dict[str, Any]) -> str:
        return text_of(list(self._world.objects.values()), reference)

    def _tls(self, request: dict[str, Any]) -> dict[str, str]:
        fields = ("trust", "clientCert", "clientKey")
        tls = request.get("tls", {})
        return {field: self._pem(tls[field]) for field in fields if field in tls}

    def _server_name(self, request: dict[str, Any]) -> str:
        name = request["tls"]["serverName"]
        if isinstance(name, str):
            return name
        (route,) = name["of"]["routes"]
        found = self._world.get("TLSRoute", route["Namespace"], route["Name"])
        return str(found["spec"]["hostnames"][name["i"]])

    # The mesh.

    async def _mesh(self, case: dict[str, Any], path: str) -> Observed:
        request, client = case["request"], case["client"]
        host = request["host"]
        principal = f"spiffe://cluster.local/ns/{client['namespace']}/sa/default"
        if not isinstance(host, str):
            labels = dict(each.split("=") for each in host["$podIP"]["app"].split(","))
            pod = next(
                each
                for (kind, namespace, _), each in self._world.objects.items()
                if kind == "Pod"
                and namespace == host["$podIP"]["namespace"]
                and labels.items() <= each["metadata"]["labels"].items()
            )
            address = pod["status"]["podIP"]
            port = int(host["suffix"].removeprefix(":"))
            asked = {**request, "host": f"{address}:{port}"}
            return await clients.mesh_http((address, port), None, principal, asked, path)
        waypoint = self._waypoint()
        destination = self._destination(host, client["namespace"])
        return await clients.mesh_http(waypoint, destination, principal, request, path)

    async def _mesh_call(self, case: dict[str, Any]) -> Observed:
        request, client = case["request"], case["client"]
        principal = f"spiffe://cluster.local/ns/{client['namespace']}/sa/default"
        destination = self._destination(request["host"], client["namespace"])
        asked = {
            **GRPC_ECHO,
            "authority": request["host"],
            "metadata": request.get("headers", {}),
        }
        async with clients.relayed(self._waypoint(), destination, principal) as connect:
            return await clients.rpc(connect, asked)

    def _waypoint(self) -> clients.Socket:
        if self._ztunnel is not None:
            return self._ztunnel
        status = self._status("Gateway", MESH, WAYPOINT)
        address = next((each["value"] for each in status.get("addresses", [])), "127.0.0.0")
        return address, WAYPOINT_PORT

    def _destination(self, host: str, namespace: str) -> clients.Socket:
        """What the client's resolver makes of a host."""
        name, _, port = host.partition(":")
        service, _, elsewhere = name.partition(".")
        found = self._world.get("Service", elsewhere or namespace, service)
        return found["spec"]["clusterIP"], int(port or 80)
