"""xDS by TLS, and to proxies that prove whose they are: on a real API server, with a real Envoy."""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64decode
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Any

import grpc
import pytest

from kube import assets
from kube.controllers import SETTINGS, answering
from kube.manifests import GATEWAY, edge, entry, namespace, route
from kube.pods import token
from kube.traffic import Traffic
from kube.waiting import until
from live.envoys import free_port
from serai.api.meta import LabelSelector
from serai.app.controller import Controller, Options
from serai.app.controller.admission import ACCOUNT, AUDIENCE, Admission
from serai.app.controller.xds_keys import SECRET, SECRETS, SecretKeys
from serai.envoy.binary import find_envoy
from serai.envoy.bootstrap import HostPort
from serai.envoy.pod_bootstrap import ADMIN_PORT, READY_PORT, pod_bootstrap
from serai.envoy.pod_security import CONFIG_FOLDER, TOKEN_FILE, TOKEN_FOLDER, security_files
from serai.kube.access import MERGE_PATCH, Access
from serai.kube.resource import Resource
from serai.kube.wire import Name
from serai.proto import envoy as pb
from serai.server.ads import SERVICE
from serai.server.authority import settled
from serai.sources.cluster import Scope

pytestmark = pytest.mark.live

HOST = "127.0.0.1"
ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")


@contextlib.asynccontextmanager
async def secured(api: assets.ApiServer, space: str) -> AsyncIterator[Controller]:
    scope = Scope((LabelSelector({"kubernetes.io/metadata.name": space}),))
    options = Options(
        xds=f"{HOST}:0", namespace=space, identity="one", scope=scope, xds_host=HOST, xds_tls="own"
    )
    one = Controller(api.access(), SETTINGS, options)
    task = asyncio.create_task(one.run())
    try:
        await until(lambda: not one.waiting_for() or task.done(), 40)
        yield one
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def account(admin: Access, space: str, name: str) -> None:
    await admin.create(ACCOUNTS, space, {"metadata": {"name": name}})


def keys(one: Controller) -> SecretKeys:
    assert isinstance(one._xds_keys, SecretKeys)
    return one._xds_keys


def called(channel: grpc.aio.Channel) -> Any:
    method: Any = channel.stream_stream
    return method(f"/{SERVICE}/DeltaAggregatedResources")


async def asked(one: Controller, gateway: str, token: str) -> str:
    """How a client is refused that asks for a Gateway's configuration, or that it is served."""
    credentials = grpc.ssl_channel_credentials(keys(one).trust)
    request = pb.DeltaDiscoveryRequest(
        node=pb.Node(id="test", cluster=gateway),
        type_url="type.googleapis.com/envoy.config.cluster.v3.Cluster",
    )
    metadata = [("authorization", f"Bearer {token}")] if token else []
    async with grpc.aio.secure_channel(f"{HOST}:{one.xds_port}", credentials) as channel:
        stream = called(channel)(metadata=metadata, timeout=10)
        try:
            await stream.write(request.SerializeToString())
            assert isinstance(await stream.read(), bytes)
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name}: {error.details()}"
    return "served"


async def test_a_gateway_is_told_to_who_runs_as_its_service_account(
    api: assets.ApiServer, admin: Access
) -> None:
    space = await namespace(admin, "proven")
    await edge(admin, space, free_port())
    for name in ("edge", "other"):
        await account(admin, space, name)
    async with secured(api, space) as one:
        gateway = f"{space}/edge"
        own = await token(admin, space, "edge", AUDIENCE)
        other = await token(admin, space, "other", AUDIENCE)
        assert await asked(one, gateway, own) == "served"
        assert await asked(one, gateway, other) == (
            f"PERMISSION_DENIED: system:serviceaccount:{space}:other is not the ServiceAccount"
            f" of the Gateway {gateway}"
        )
        assert (await asked(one, gateway, "")).startswith("UNAUTHENTICATED: a token")
        assert (await asked(one, gateway, "nonsense")).startswith("UNAUTHENTICATED: the token is")
        elsewhere = await token(admin, space, "edge", "somebody-else")
        assert (await asked(one, gateway, elsewhere)).startswith("UNAUTHENTICATED: the token is")
        # Its Envoys are somebody else's, who says so.
        said = {"metadata": {"annotations": {ACCOUNT: "other"}}}
        await admin.patch(GATEWAY, Name(space, "edge"), said, MERGE_PATCH)
        async with asyncio.timeout(20):
            while await asked(one, gateway, other) != "served":  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert (await asked(one, gateway, own)).startswith("PERMISSION_DENIED")


async def test_without_tls_nobody_is_answered(api: assets.ApiServer, admin: Access) -> None:
    space = await namespace(admin, "in-clear")
    async with (
        secured(api, space) as one,
        grpc.aio.insecure_channel(f"{HOST}:{one.xds_port}") as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await called(channel)(timeout=5).read()
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_replicas_share_one_authority(api: assets.ApiServer, admin: Access) -> None:
    space = await namespace(admin, "shared-keys")
    access = [api.access() for _ in range(3)]
    found = [SecretKeys(each, space, ("serai.example",)) for each in access]
    await asyncio.gather(*(each.first() for each in found))
    await asyncio.gather(*(each.look() for each in found))
    assert len({each.trust for each in found}) == 1
    assert len({each.serving for each in found}) == 1
    secret = await admin.read(SECRETS, Name(space, SECRET))
    assert secret is not None
    assert b64decode(secret["data"]["ca.crt"]) == found[0].trust
    for each in access:
        await each.close()


class Proxy:
    """An Envoy as it is deployed, with its two folders somewhere else."""

    def __init__(self, one: Controller, gateway: str, folder: Path) -> None:
        self._config, self._token = folder / "config", folder / "token"
        self._config.mkdir()
        self._token.mkdir()
        self.told = 0
        xds = HostPort(HOST, one.xds_port)
        bootstrap = pod_bootstrap(gateway, xds, secured=True)
        for port in (ADMIN_PORT, READY_PORT):
            bootstrap = bootstrap.replace(f'"port_value": {port}', f'"port_value": {free_port()}')
        files = security_files(HOST, keys(one).trust.decode())
        for name, text in {"bootstrap.json": bootstrap, **files}.items():
            here = text.replace(CONFIG_FOLDER, str(self._config))
            (self._config / name).write_text(here.replace(TOKEN_FOLDER, str(self._token)))

    def tell(self, token: str) -> None:
        """As a kubelet does it: another folder takes the place of the first at once."""
        self.told += 1
        folder = self._token / f"..{self.told}"
        folder.mkdir()
        (folder / TOKEN_FILE).write_text(token)
        link = self._token / "..new"
        link.symlink_to(folder.name)
        link.rename(self._token / "..data")
        if self.told == 1:
            (self._token / TOKEN_FILE).symlink_to(f"..data/{TOKEN_FILE}")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Until the end."""
        binary, _ = find_envoy()
        assert binary is not None
        options = ["--use-dynamic-base-id", "--concurrency", "1", "--service-node", "a.b"]
        with (self._config / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                str(binary.path), "-c", str(self._config / "bootstrap.json"), *options, stderr=log
            )
        try:
            yield
            assert process.returncode is None, (self._config / "log").read_text()
        finally:
            process.kill()
            await process.wait()


@pytest.mark.slow
async def test_certificates_and_tokens_change_under_traffic(
    api: assets.ApiServer, admin: Access, tmp_path: Path
) -> None:
    space, port = await namespace(admin, "rotated"), free_port()
    async with answering("partner") as endpoint, secured(api, space) as one:
        await edge(admin, space, port)
        await entry(admin, space, "rotated.example", endpoint)
        await route(admin, space, "rotated.example")
        await account(admin, space, "edge")
        proxy = Proxy(one, f"{space}/edge", tmp_path)
        proxy.tell(await token(admin, space, "edge", AUDIENCE))
        traffic = Traffic(f"http://127.0.0.1:{port}/")
        async with proxy.running(), traffic.flowing():
            (first,) = one.server.clients()
            # The certificate is renewed; who is connected stays so.
            kept = keys(one)
            before = kept.keys
            kept._keys = settled(before, (HOST, "another.example"), datetime.now(UTC))
            assert kept.serving != before.serving
            assert kept.trust == before.trust
            assert one.server.clients() == [first]
            # The proof ends, and with it the stream: Envoy comes again, with its newer token.
            proxy.tell(await token(admin, space, "edge", AUDIENCE))
            seen = len(admission(one)._reviews._known)
            await asyncio.sleep(1)
            admission(one)._now = lambda: time() + 3600 - 2
            await cut(one)
            await until(lambda: one.server.clients()[:1] not in ([], [first]))
            (second,) = one.server.clients()
            await until(lambda: one.server.clients()[:1] not in ([], [second]))
            assert len(admission(one)._reviews._known) > seen
            assert not traffic.failed(), traffic


def admission(one: Controller) -> Admission:
    assert isinstance(one.server.guard, Admission)
    return one.server.guard


async def cut(one: Controller) -> None:
    """End the connections, so that a new one sees the new certificate."""
    (server,) = one.server._listening
    await server.stop()
    one.server._listening.clear()
    await one.server.start(f"{HOST}:{one.xds_port}", one._credentials())
