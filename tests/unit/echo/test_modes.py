from __future__ import annotations

import asyncio
import json
import socket
import ssl
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest
import trustme
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, Event, Request, TextMessage

from serai.echo import EchoEndpoint, EchoRequest, Identity, Tls, echo, echo_process
from serai.echo.endpoint import Mode
from serai.echo.grpc import SERVICE, decoded

CA = trustme.CA()
OTHER_CA = trustme.CA()
CART = Identity("cart-1", "shop", "cart")


def endpoint(mode: Mode) -> EchoEndpoint:
    return EchoEndpoint("127.0.0.1", identity=CART, mode=mode)


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    issued = CA.issue_cert("cart.example")
    certificate, key, client_ca = (tmp_path / name for name in ("crt", "key", "ca"))
    issued.cert_chain_pems[0].write_to_path(str(certificate))
    issued.private_key_pem.write_to_path(str(key))
    CA.cert_pem.write_to_path(str(client_ca))
    return Tls(certificate, key, client_ca)


def trusting(client: trustme.LeafCert | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    CA.configure_trust(context)
    if client is not None:
        client.configure_cert(context)
    return context


async def call(
    channel: grpc.aio.Channel, method: str, metadata: tuple[tuple[str, str], ...] = ()
) -> Any:
    calling = channel.unary_unary(f"/{SERVICE}/{method}", bytes, decoded)
    return await calling(b"", metadata=metadata)


async def test_h2c_takes_http_2_and_nothing_else() -> None:
    async with echo([endpoint("h2c")]) as (real,):
        async with httpx2.AsyncClient(http1=False, http2=True, trust_env=False) as client:
            answer = await client.post(f"http://{real.where}/a?b", content=b"x" * 200_000)
            aside = await asyncio.gather(*(client.get(f"http://{real.where}/{n}") for n in "ab"))
        async with httpx2.AsyncClient(trust_env=False) as client:
            refused = await client.get(f"http://{real.where}/")

    told = answer.json()
    assert (told["proto"], told["path"], told["host"]) == ("HTTP/2.0", "/a?b", real.where)
    assert (told["pod"], len(told["body"])) == ("cart-1", 64 * 1024)
    assert [each.json()["path"] for each in aside] == ["/a", "/b"]
    assert refused.status_code == 400


@pytest.mark.parametrize("http2", [True, False])
async def test_https_says_what_was_agreed(tls: Tls, *, http2: bool) -> None:
    mine = CA.issue_cert("me@example.com")
    async with (
        echo([endpoint("https")], tls=tls) as (real,),
        httpx2.AsyncClient(verify=trusting(mine), http2=http2, trust_env=False) as client,
    ):
        asked = {"sni_hostname": "cart.example"}
        answer = await client.get(f"https://{real.where}/", extensions=asked)

    told = answer.json()["tls"]
    assert told["version"] == "TLSv1.3"
    assert told["serverName"] == "cart.example"
    assert told["negotiatedProtocol"] == ("h2" if http2 else "http/1.1")
    assert told["peerCertificates"] == [mine.cert_chain_pems[0].bytes().decode()]


async def test_a_client_certificate_of_others_is_refused_and_none_is_fine(tls: Tls) -> None:
    theirs = OTHER_CA.issue_cert("me@example.com")
    asked = {"sni_hostname": "cart.example"}
    async with echo([endpoint("https")], tls=tls) as (real,):
        async with httpx2.AsyncClient(verify=trusting(theirs), trust_env=False) as client:
            with pytest.raises(httpx2.TransportError):
                await client.get(f"https://{real.where}/", extensions=asked)
        async with httpx2.AsyncClient(verify=trusting(), trust_env=False) as client:
            answer = await client.get(f"https://{real.where}/", extensions=asked)
    assert answer.json()["tls"]["peerCertificates"] == []


async def test_tls_echoes_bytes(tls: Tls) -> None:
    async with echo([endpoint("tls")], tls=tls) as (real,):
        reader, writer = await asyncio.open_connection(
            real.address, real.port, ssl=trusting(), server_hostname="cart.example"
        )
        writer.write(b"PING")
        assert await reader.readline() == f"endpoint {real.where} shop/cart-1\n".encode()
        assert await reader.readexactly(4) == b"PING"
        writer.close()


async def test_tls_needs_a_certificate() -> None:
    with pytest.raises(ValueError, match="https: TLS needs a certificate"):
        async with echo([endpoint("https")]):
            pass


async def test_grpc_says_what_arrived_and_what_is_not_implemented() -> None:
    async with (
        echo([endpoint("h2c")]) as (real,),
        grpc.aio.insecure_channel(real.where) as channel,
    ):
        response = await call(channel, "Echo", (("color", "blue"),))
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call(channel, "EchoThree")

    told = response.assertions
    assert told.fully_qualified_method == f"/{SERVICE}/Echo"
    assert told.authority == real.where
    assert (told.context.pod, told.context.namespace) == ("cart-1", "shop")
    assert ("color", "blue") in [(each.key, each.value) for each in told.headers]
    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_grpc_over_tls(tls: Tls) -> None:
    trust = grpc.ssl_channel_credentials(CA.cert_pem.bytes())
    named = [("grpc.ssl_target_name_override", "cart.example")]
    async with (
        echo([endpoint("https")], tls=tls) as (real,),
        grpc.aio.secure_channel(real.where, trust, named) as channel,
    ):
        told = (await call(channel, "EchoTwo")).assertions.tls_assertions
    assert (told.server_name, told.negotiated_protocol) == ("cart.example", "h2")


async def test_websocket_messages_come_back() -> None:
    async with echo([endpoint("http")]) as (real,):
        reader, writer = await asyncio.open_connection(real.address, real.port)
        client = WSConnection(ConnectionType.CLIENT)
        writer.write(client.send(Request(host=real.where, target="/ws")))
        got: list[Event] = []
        sent: list[Event] = [TextMessage(data="hello"), BytesMessage(data=bytearray(b"\x01\x02"))]
        while len(got) < 3:
            client.receive_data(await reader.read(4096))
            for event in client.events():
                got.append(event)
                if isinstance(event, AcceptConnection):
                    writer.writelines(client.send(each) for each in sent)
        writer.close()
    assert got[1:] == sent


async def test_udp_says_who_answers() -> None:
    async with echo([endpoint("udp")]) as (real,):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(sock, (real.address, real.port))
            await loop.sock_sendall(sock, b"ping")
            told = json.loads(await loop.sock_recv(sock, 4096))
    assert told.pop("endpoint") == real.where
    assert told == {
        "request": "ping",
        "namespace": "shop",
        "ingress": "",
        "service": "cart",
        "pod": "cart-1",
    }


async def test_a_retried_request_fails_as_often_as_it_asks_for() -> None:
    async with (
        echo([endpoint("http")]) as (real,),
        httpx2.AsyncClient(trust_env=False) as client,
    ):
        url = f"http://{real.where}/retry/a?uuid={{}}&succeedAfter={{}}"
        statuses = [
            (await client.get(url.format("one", 2) + "&responseCode=503")).status_code
            for _ in range(3)
        ]
        with pytest.raises(httpx2.ReadError):
            await client.get(url.format("two", 1))
        after_reset = await client.get(url.format("two", 1))
        unsaid = await client.get(f"http://{real.where}/retry/a")
    assert statuses == [503, 503, 200]
    assert after_reset.status_code == 200
    assert unsaid.status_code == 400


async def test_every_request_is_told_to_whoever_observes() -> None:
    seen: list[EchoRequest] = []
    async with (
        echo([endpoint("http")], observe=seen.append) as (real,),
        httpx2.AsyncClient(trust_env=False) as client,
    ):
        await client.get(f"http://{real.where}/a?b=c")
    assert [(each.target, each.endpoint) for each in seen] == [("/a?b=c", real)]


async def test_requests_in_a_row_on_one_connection_are_answered_in_order() -> None:
    async with echo([endpoint("http")]) as (real,):
        reader, writer = await asyncio.open_connection(real.address, real.port)
        request = b"GET /%s HTTP/1.1\r\nhost: a\r\n\r\n"
        last = b"GET /c HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        writer.write(request % b"a?delay=20ms" + request % b"b" + last)
        answers = (await reader.read()).decode()
        writer.close()
    assert answers.count("HTTP/1.1 200 OK") == 3
    assert answers.index("/a?") < answers.index('"/b"') < answers.index('"/c"')


async def test_what_is_no_http_is_refused() -> None:
    async with echo([endpoint("http")]) as (real,):
        reader, writer = await asyncio.open_connection(real.address, real.port)
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 505 ")
        writer.close()


async def test_a_process_of_its_own_speaks_tls(tls: Tls) -> None:
    async with (
        echo_process([endpoint("https")], tls=tls) as (real,),
        httpx2.AsyncClient(verify=trusting(), trust_env=False) as client,
    ):
        asked = {"sni_hostname": "cart.example"}
        answer = await client.get(f"https://{real.where}/", extensions=asked)
    assert answer.json()["tls"]["serverName"] == "cart.example"
