"""Who we are to an API server, in each way that a kubeconfig has, and what becomes of it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightkube import KubeConfig

from serai.app.demo.authority import Authority
from serai.kube import connections, login
from serai.kube.access import Access, ApiError, connect

V1, V1BETA1 = login.VERSIONS


class Server:
    """An API server that remembers who asked, and takes whom it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        """Token and name in the certificate, of each request."""
        self.takes: Callable[[str, str], bool] = lambda _, __: True
        self.port = 0
        self.serving: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        broken = (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError)
        with contextlib.closing(writer), contextlib.suppress(*broken):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                lines = head.split("\r\n")
                token = next((each[7:].strip() for each in map(_bearer, lines) if each), "")
                shown = writer.get_extra_info("peercert") or {}
                names = {key: value for part in shown.get("subject", ()) for key, value in part}
                who = token, names.get("commonName", "")
                self.asked.append(who)
                status, body = (200, b"{}") if self.takes(*who) else (401, b'{"code": 401}')
                answer = f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n\r\n"
                writer.write(answer.encode() + body)
                await writer.drain()


def _bearer(line: str) -> str:
    return line.partition(": ")[2] if line.lower().startswith("authorization: ") else ""


@asynccontextmanager
async def serving(context: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for each in server.serving:
            each.cancel()
        await asyncio.gather(*server.serving, return_exceptions=True)
        await asyncio.sleep(0)  # closed transports end with the next round


def kubeconfig(folder: Path, api: Server, user: Any, **cluster: Any) -> Path:
    where = {"server": f"http://127.0.0.1:{api.port}", **cluster}
    path = folder / "config"
    path.write_text(
        yaml.safe_dump(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": where}],
                "users": [{"name": "u", "user": user}],
            }
        )
    )
    return path


@asynccontextmanager
async def accessing(path: Path) -> AsyncIterator[Access]:
    access = await connect(path)
    try:
        yield access
    finally:
        await access.close()


def plugin(folder: Path, body: str, version: str = V1, **more: Any) -> dict[str, Any]:
    """A user whose tokens a script says; `number` in it counts how often it has run."""
    script = folder / "plugin.py"
    script.write_text(
        "import json, os, pathlib, sys, datetime\n"
        f"count = pathlib.Path({str(folder / 'runs')!r})\n"
        "number = int(count.read_text()) + 1 if count.exists() else 1\n"
        "count.write_text(str(number))\n"
        "def say(status):\n"
        f"    said = {{'apiVersion': {version!r}, 'kind': 'ExecCredential', 'status': status}}\n"
        "    print(json.dumps(said))\n"
        "def end(seconds):\n"
        "    at = datetime.datetime.now(datetime.timezone.utc)\n"
        "    return (at + datetime.timedelta(seconds=seconds)).strftime('%Y-%m-%dT%H:%M:%SZ')\n"
        + body
    )
    arguments = [str(script)]
    return {"exec": {"apiVersion": version, "command": sys.executable, "args": arguments, **more}}


def runs(folder: Path) -> int:
    return int((folder / "runs").read_text())


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(login, "AGAIN_SECONDS", 0.0)


async def test_a_token_in_a_file_is_read_again_when_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("one\n")
    async with serving() as server:
        path = kubeconfig(tmp_path, server, {"tokenFile": str(tmp_path / "token")})
        async with accessing(path) as access:
            await access.get("/a")
            (tmp_path / "token").write_text("two\n")
            await access.get("/b")
            server.takes = lambda token, _: token == "two"
            await access.get("/c")
        assert [token for token, _ in server.asked] == ["one", "one", "one", "two"]


async def test_a_token_in_a_file_is_read_again_in_time_and_kept_while_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "TOKEN_SECONDS", 0.0)
    token = tmp_path / "token"
    token.write_text("one")
    async with serving() as server:
        async with accessing(kubeconfig(tmp_path, server, {"tokenFile": "token"})) as access:
            for text in ("one", None, "two"):
                if text is None:
                    token.unlink()
                else:
                    token.write_text(text)
                await access.get("/")
        assert [each for each, _ in server.asked] == ["one", "one", "two"]


async def test_a_pods_own_token_is_found_where_it_is_mounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority("cluster", tmp_path / "ca")
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text("one")
    (account / "namespace").write_text("serai-system")
    (account / "ca.crt").write_text(authority.pem)
    async with serving(_tls(authority)) as server:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "localhost")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.port))
        mounted = classmethod(lambda cls: cls.from_service_account(account))
        monkeypatch.setattr(KubeConfig, "from_env", mounted)
        access = await connect()
        assert access.namespace == "serai-system"
        await access.get("/")
        (account / "token").write_text("two")
        server.takes = lambda token, _: token == "two"
        await access.get("/")
        await access.close()
        assert [each for each, _ in server.asked] == ["one", "one", "two"]


@pytest.mark.parametrize("version", [V1, V1BETA1])
async def test_a_command_runs_once_until_its_token_ends(tmp_path: Path, version: str) -> None:
    body = "say({'token': f't{number}', 'expirationTimestamp': end(3600 if number > 1 else 5)})\n"
    async with serving() as server:
        path = kubeconfig(tmp_path, server, plugin(tmp_path, body, version))
        async with accessing(path) as access:
            await asyncio.gather(*(access.get("/") for _ in range(8)))
            # The first ends within the time in which it is no longer shown.
            assert runs(tmp_path) == 2
            for _ in range(3):
                await access.get("/")
        assert runs(tmp_path) == 2
        assert server.asked[-1] == ("t2", "")


async def test_a_command_is_asked_again_for_what_is_refused(tmp_path: Path) -> None:
    async with serving() as server:
        path = kubeconfig(tmp_path, server, plugin(tmp_path, "say({'token': f't{number}'})\n"))
        async with accessing(path) as access:
            await access.get("/")
            server.takes = lambda token, _: token == "t2"
            await asyncio.gather(*(access.get("/") for _ in range(5)))
        assert runs(tmp_path) == 2, "however many were refused"


async def test_what_a_command_is_told(tmp_path: Path) -> None:
    body = (
        "info = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
        "assert info['apiVersion'].endswith('/v1') and info['kind'] == 'ExecCredential'\n"
        "assert info['spec']['interactive'] is False\n"
        "say({'token': info['spec']['cluster']['server'] + os.environ['MORE']})\n"
    )
    async with serving() as server:
        user = plugin(
            tmp_path, body, provideClusterInfo=True, env=[{"name": "MORE", "value": "/x"}]
        )
        async with accessing(kubeconfig(tmp_path, server, user)) as access:
            await access.get("/")
        assert server.asked == [(f"http://127.0.0.1:{server.port}/x", "")]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("print('hello')\n", "said no ExecCredential"),
        ("say({})\n", "neither a token nor a certificate"),
        ("sys.exit('not logged in')\n", "not logged in"),
        ("print(json.dumps({'apiVersion': 'v1', 'kind': 'Pod'}))\n", "said Pod v1"),
    ],
)
async def test_a_command_that_says_nothing_good_is_told_of(
    tmp_path: Path, body: str, words: str
) -> None:
    async with serving() as server:
        async with accessing(kubeconfig(tmp_path, server, plugin(tmp_path, body))) as access:
            with pytest.raises(ApiError, match=words):
                await access.get("/")
        assert server.asked == []


async def test_a_command_that_is_not_there_is_told_with_where_to_get_it(tmp_path: Path) -> None:
    async with serving() as server:
        user = {"exec": {"apiVersion": V1, "command": "./none", "installHint": "Get it there."}}
        async with accessing(kubeconfig(tmp_path, server, user)) as access:
            with pytest.raises(ApiError, match=r"none cannot be run.*Get it there"):
                await access.get("/")


@pytest.mark.parametrize(
    ("user", "cluster", "words"),
    [
        ({"exec": {"apiVersion": "x/v9", "command": "x"}}, {}, "exec of x/v9"),
        (
            {"exec": {"apiVersion": V1, "command": "x", "interactiveMode": "Always"}},
            {},
            "nobody is there",
        ),
        ({"token": "t", "as": "admin"}, {}, "user's as is not supported"),
        ({"token": "t"}, {"proxy-url": "http://x"}, "cluster's proxy-url"),
    ],
)
async def test_what_cannot_be_done_is_told_at_once(
    tmp_path: Path, user: Any, cluster: Any, words: str
) -> None:
    async with serving() as server:
        with pytest.raises(ApiError, match=words):
            await connect(kubeconfig(tmp_path, server, user, **cluster))


def _tls(authority: Authority) -> ssl.SSLContext:
    """Of a server that takes its authority's clients, and others without a certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=authority.pem)
    shown = authority.issue(["localhost"])
    context.load_cert_chain(shown.certificate, shown.key)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def _to(server: Server, authority: Authority) -> dict[str, str]:
    encoded = base64.b64encode(authority.pem.encode()).decode()
    return {
        "server": f"https://localhost:{server.port}",
        "certificate-authority-data": encoded,
    }


async def test_a_certificate_that_is_replaced_is_shown_from_then_on(tmp_path: Path) -> None:
    authority = Authority("cluster", tmp_path / "ca")
    shown = tmp_path / "client.pem"
    shown.write_bytes(authority.issue(["one"]).certificate.read_bytes())
    async with serving(_tls(authority)) as server:
        user = {"client-certificate": "client.pem", "client-key": str(shown)}
        path = kubeconfig(tmp_path, server, user, **_to(server, authority))
        async with accessing(path) as access:
            await access.get("/")
            shown.write_text("half writ")
            await access.get("/")
            shown.write_bytes(authority.issue(["two"]).certificate.read_bytes())
            await access.get("/")
        assert [name for _, name in server.asked] == ["one", "one", "two"]


async def test_a_kubeconfig_that_is_replaced_is_read_again(tmp_path: Path) -> None:
    async with serving() as server, serving() as other:
        path = kubeconfig(tmp_path, server, {"token": "one"})
        async with accessing(path) as access:
            await access.get("/")
            path.write_text("users: [")
            await access.get("/")
            kubeconfig(tmp_path, other, {"token": "two"})
            await access.get("/")
        assert [each for each, _ in server.asked] == ["one", "one"]
        assert [each for each, _ in other.asked] == ["two"]


async def test_a_command_may_say_a_certificate_and_later_another(tmp_path: Path) -> None:
    authority = Authority("cluster", tmp_path / "ca")
    for number in (1, 2, 3):
        pem = authority.issue([f"client-{number}"]).certificate.read_text()
        (tmp_path / f"client-{number}.pem").write_text(pem)
    body = (
        f"pem = pathlib.Path({str(tmp_path)!r}, f'client-{{min(number, 3)}}.pem').read_text()\n"
        "say({'clientCertificateData': pem, 'clientKeyData': pem})\n"
    )
    async with serving(_tls(authority)) as server:
        user = plugin(tmp_path, body)
        path = kubeconfig(tmp_path, server, user, **_to(server, authority))
        async with accessing(path) as access:
            await access.get("/")
            server.takes = lambda _, name: name != "client-1"
            with pytest.raises(ApiError, match="401"):
                await access.get("/")
            await access.get("/")
    names = [name for _, name in server.asked]
    assert names[0] == "client-1"
    assert names[-1] == "client-3"
