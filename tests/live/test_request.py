"""`serai request` against a running instance: each way in."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from live.envoys import end_what_names
from serai.api.problem import Problem
from serai.app.compose import standalone
from serai.app.demo.files import copied, examples
from serai.app.demo.stage import Stage
from serai.app.standalone import Options
from serai.web.server import WebServer

pytestmark = pytest.mark.live

CART = "spiffe://cluster.local/ns/shop/sa/cart"


SIX = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: six, namespace: infra}}
spec:
  hosts: [six.example]
  addresses: ["fd00:0::10"]
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 9443}}]
  resolution: STATIC
  endpoints: [{{address: 127.{net}.0.9}}]
"""


class Done(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def body(self) -> Any:
        return json.loads(self.out)


class Running(NamedTuple):
    """The quickstart, served, on addresses whose second number is `net` higher."""

    admin: str
    folder: Path
    net: int

    async def request(self, *arguments: str, data: bytes = b"") -> Done:
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("serai"),
            "request",
            *arguments,
            "--admin",
            self.admin,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(data)
        return Done(process.returncode or 0, out.decode(), err.decode())


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    with copied(examples()["quickstart"], tmp_path) as copy:
        assert not isinstance(copy, Problem)
        net = int(copy.settings.bind.split(".")[1])
        (copy.folder / "six.yaml").write_text(SIX.format(net=net))
        web = WebServer("127.0.0.1", 0)
        options = Options(drain_seconds=1, bind_life=True)
        instance, _ = standalone([copy.folder], copy.settings, options, tmp_path / "state")
        assert instance is not None
        try:
            await instance.start(web)
            async with Stage(instance, copy.folder):
                yield Running(web.address, copy.folder, net)
        finally:
            await instance.stop(drain=False)
            assert end_what_names(tmp_path) == []


async def test_each_way_in(running: Running) -> None:
    """One instance for all of them: starting it takes longer than they do."""
    net = running.net
    by_mesh, by_vip, by_gateway, by_six = await asyncio.gather(
        running.request("http://payments.partner.example/v1/charge", "--as", CART),
        running.request(f"http://127.{66 + net}.0.10:8000/a%20b", "--direct"),
        running.request("http://shop.example:8080/pay/1", "--via", "infra/edge"),
        running.request("http://six.example/", "--as", CART, "-v"),
    )

    assert [(each.code, each.err.count("\n")) for each in (by_mesh, by_vip, by_gateway)] == [
        (0, 2)
    ] * 3, (by_mesh, by_vip, by_gateway)
    assert f"PROXY header for [fd00::10]:80 as {CART}" in by_six.err
    assert by_six.err.splitlines()[-1].startswith("via infra/waypoint · ServiceEntry infra/six ·")
    assert by_six.body["endpoint"] == f"127.{net}.0.9:9443"
    status, via = by_mesh.err.splitlines()
    assert status == "HTTP/1.1 200 OK"
    endpoint = by_mesh.body["endpoint"]
    assert endpoint in {f"127.{net}.0.9:9443", f"127.{net}.0.10:9443"}
    assert via == (
        "via infra/waypoint · ServiceEntry infra/partner-api"
        f" · route shop/charge rule 0 · endpoint {endpoint}"
    )
    assert by_mesh.body["headers"]["X-Charged-By"] == ["shop"]

    assert by_vip.body["path"] == "/a%20b"
    assert by_vip.err.splitlines()[1] == (
        "via infra/waypoint · Service shop/cart · default route"
        f" · endpoint {by_vip.body['endpoint']}"
    )
    assert by_gateway.err.splitlines()[1] == (
        f"via infra/edge · route shop/storefront rule 0 · endpoint {by_gateway.body['endpoint']}"
    )


async def test_what_is_sent_and_shown_as_by_curl(running: Running) -> None:
    posted, failed, plain, unmatched = await asyncio.gather(
        running.request(
            *("http://cart.shop:8000/?x=1", "-v", "-i", "-d", "a=1", "-d", "@-"),
            *("-H", "X-A: b", "-H", "Accept:", "-H", "Host: other.example"),
            data=b"from stdin",
        ),
        running.request("http://cart.shop:8000/status/503", "--fail"),
        running.request("http://cart.shop:8000/status/404", "-o", "json", "--as", "shop/cart"),
        running.request("http://payments.partner.example/nothing", "--as", "shop/cart"),
    )

    head, _, body = posted.out.partition("\r\n\r\n")
    said = json.loads(body)
    assert head.startswith("HTTP/1.1 200 OK")
    assert (said["method"], said["path"], said["host"]) == ("POST", "/?x=1", "other.example")
    assert said["body"] == "a=1&from stdin"
    assert said["headers"]["X-A"] == ["b"] and "Accept" not in said["headers"]
    assert "> POST /?x=1 HTTP/1.1" in posted.err and "< HTTP/1.1 200 OK" in posted.err
    assert f"PROXY header for 127.{66 + running.net}.0.10:8000 without an identity" in posted.err

    assert (failed.code, failed.out) == (22, "")
    assert failed.err.startswith("HTTP/1.1 503 Service Unavailable\n")

    assert plain.code == 0
    assert plain.body["status"] == 404
    assert plain.body["identity"] == CART
    assert plain.body["cluster"] == "kube_shop_cart_8000"
    assert json.loads(plain.body["body"])["endpoint"] == plain.body["endpoint"]

    assert unmatched.code == 0
    assert unmatched.err.splitlines()[0] == "HTTP/1.1 404 Not Found"
    assert "none of the routes of namespace shop · answered by Envoy itself" in unmatched.err


async def test_why_there_is_no_answer(running: Running) -> None:
    late, uncaptured, no_port, unknown, foreign, wrong = await asyncio.gather(
        running.request("http://cart.shop:8000/?delay=10s", "--max-time", "0.3"),
        running.request("http://legacy.example:8000/"),
        running.request("http://cart.shop/"),
        running.request("http://nowhere.example/"),
        running.request("http://cart.shop:8000/", "--via", "infra/nothing"),
        running.request("http://cart.shop:8000/", "-H", "no colon"),
    )

    assert [each.code for each in (late, uncaptured, no_port, unknown, foreign)] == [1] * 5
    assert "did not answer within 0.3" in late.err and "--max-time" in late.err
    assert "ServiceEntry infra/legacy has istio.io/use-waypoint=none" in uncaptured.err
    assert "Service shop/cart has no port 80; it has: 8000/HTTP" in no_port.err
    assert "no Service or ServiceEntry has host nowhere.example" in unknown.err
    assert "there are: infra/edge, infra/waypoint" in foreign.err
    assert wrong.code == 2 and "NAME: VALUE" in wrong.err


async def test_nothing_runs() -> None:
    with_nobody = Running("127.0.0.1:1", Path(), 0)
    done = await with_nobody.request("http://cart.shop:8000/")

    assert done.code == 3
    assert "127.0.0.1:1" in done.err and "start `serai run PATH` first" in done.err
