"""A real API server for tests: where its programs are, and how it is started and ended."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import yaml
from lightkube import KubeConfig
from lightkube.config.models import Cluster, User

from serai.kube.access import Access, access_of
from serai.kube.resource import Resource
from serai.kube.wire import Name

CRDS = Path(os.environ.get("SERAI_CRDS", "/work/shared/data/crds"))

READY_SECONDS = 60.0

TOKENS = {
    "admin": ("admin-token", "system:masters"),
    "nobody": ("nobody-token", ""),
}
"""Users, their tokens and groups."""


def missing() -> str:
    """Why no real API server can be had; empty if one can."""
    folder = os.environ.get("KUBEBUILDER_ASSETS", "")
    if not folder:
        return (
            "KUBEBUILDER_ASSETS names no folder with etcd and kube-apiserver; see .ci/kube-assets"
        )
    absent = [name for name in ("etcd", "kube-apiserver") if not (Path(folder) / name).exists()]
    if absent:
        return f"KUBEBUILDER_ASSETS={folder} has no {' and no '.join(absent)}"
    return "" if CRDS.is_dir() else f"no CRDs at {CRDS}"


class ApiServer:
    """etcd and kube-apiserver, of which the latter can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self._etcd_port, peer = _ports(3)
        self.server = f"https://127.0.0.1:{self.port}"
        assets = Path(os.environ["KUBEBUILDER_ASSETS"])
        self._program = assets / "kube-apiserver"
        folder.mkdir(parents=True, exist_ok=True)
        tokens = [f"{token},{user},{user}-uid,{group}" for user, (token, group) in TOKENS.items()]
        (folder / "tokens.csv").write_text("\n".join(tokens) + "\n")
        key = ["openssl", "genrsa", "-out", str(folder / "sa.key"), "2048"]
        subprocess.run(key, check=True, capture_output=True)
        self._etcd = self._spawn("etcd", _etcd(assets / "etcd", folder, self._etcd_port, peer))
        self._api: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the API server and wait until it is ready."""
        self._api = self._spawn("kube-apiserver", self._command())
        deadline = time.monotonic() + READY_SECONDS
        while not self._is_ready():
            if self._api.poll() is not None or time.monotonic() > deadline:
                tail = (self.folder / "kube-apiserver.log").read_text()[-2000:]
                raise RuntimeError(f"the API server is not ready: {tail}")
            time.sleep(0.1)

    def stop(self, *, kill: bool = False) -> None:
        """End the API server; what it keeps stays."""
        if self._api is not None:
            (self._api.kill if kill else self._api.terminate)()
            self._api.wait(30)
            self._api = None

    def close(self) -> None:
        """End everything."""
        self.stop(kill=True)
        self._etcd.kill()
        self._etcd.wait(10)

    def kubeconfig(self, user: str = "admin", token: str = "") -> dict[str, Any]:
        """What leads here, as one of the users."""
        cluster = {"server": self.server, "insecure-skip-tls-verify": True}
        return {
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": {"token": token or TOKENS[user][0]}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        }

    def kubeconfig_file(self, user: str = "admin", token: str = "") -> Path:
        """The same, in a file."""
        path = self.folder / f"kubeconfig-{user}"
        path.write_text(yaml.safe_dump(self.kubeconfig(user, token)))
        return path

    def access(self, user: str = "admin", token: str = "", server: str = "") -> Access:
        """A way here; `server` is another address that leads here."""
        single = KubeConfig.from_one(
            cluster=Cluster(server=server or self.server, insecure=True),
            user=User(token=token or TOKENS[user][0]),
        ).get()
        return access_of(single)

    def _spawn(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def _command(self) -> list[str]:
        key = str(self.folder / "sa.key")
        options = {
            "etcd-servers": f"http://127.0.0.1:{self._etcd_port}",
            "secure-port": str(self.port),
            "bind-address": "127.0.0.1",
            "cert-dir": str(self.folder / "certs"),
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": key,
            "service-account-signing-key-file": key,
            "authorization-mode": "RBAC",
            "token-auth-file": str(self.folder / "tokens.csv"),
            "service-cluster-ip-range": "10.96.0.0/16",
            "disable-admission-plugins": "ServiceAccount",
            "endpoint-reconciler-type": "none",
            "profiling": "false",
        }
        return [str(self._program), *(f"--{name}={value}" for name, value in options.items())]

    def _is_ready(self) -> bool:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        url = f"{self.server}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=2, context=context) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False


def _etcd(program: Path, folder: Path, port: int, peer: int) -> list[str]:
    client, peers = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
    options = {
        "data-dir": str(folder / "etcd"),
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peers,
        "initial-advertise-peer-urls": peers,
        "initial-cluster": f"default={peers}",
    }
    given = [f"--{name}={value}" for name, value in options.items()]
    return [str(program), *given, "--unsafe-no-fsync"]


def _ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@contextmanager
def running(folder: Path, *, crds: bool = True) -> Iterator[ApiServer]:
    """An API server that knows our kinds, until the end."""
    server = ApiServer(folder)
    try:
        server.start()
        if crds:
            asyncio.run(install(server))
        yield server
    finally:
        server.close()
        shutil.rmtree(folder / "etcd", ignore_errors=True)


DEFINITION = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
)


def definitions() -> list[dict[str, Any]]:
    """The CRDs of the kinds that Serai reads."""
    files = [
        *CRDS.glob("gateway-api/gateway.networking.k8s.io_*.yaml"),
        *CRDS.glob("kgateway/*_gatewayparameters.yaml"),
        CRDS / "istio" / "crd-all.gen.yaml",
    ]
    found = [doc for path in sorted(files) for doc in yaml.safe_load_all(path.read_text())]
    return [doc for doc in found if doc and doc.get("kind") == DEFINITION.kind]


async def install(server: ApiServer, wanted: Mapping[str, Any] | None = None) -> None:
    """Install CRDs and wait until they are served."""
    access = server.access()
    try:
        docs = [wanted] if wanted is not None else definitions()
        for doc in docs:
            await access.create(DEFINITION, "", doc)
        for doc in docs:
            name = Name("", doc["metadata"]["name"])
            while not _established(await access.read(DEFINITION, name)):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        await access.close()


def _established(definition: dict[str, Any] | None) -> bool:
    conditions = (definition or {}).get("status", {}).get("conditions") or ()
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def copied(obj: Any) -> Any:
    """An object that can be changed without changing the first."""
    return msgspec.json.decode(msgspec.json.encode(obj))
