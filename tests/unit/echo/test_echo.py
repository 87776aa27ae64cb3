from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator

import httpx2
import pytest

from live.sockets import waits_for_acknowledgements
from serai.echo import EchoEndpoint, Identity, echo, echo_process, parse_endpoint

CART = EchoEndpoint("127.0.0.1", identity=Identity("cart-1", "shop", "cart"))


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(trust_env=False) as client:
        yield client


async def test_an_answer_says_what_arrived_and_who_answered(client: httpx2.AsyncClient) -> None:
    async with echo([CART]) as (cart,):
        answer = await client.put(
            f"http://{cart.where}/a%2Fb//c?x=1&y=%20",
            headers=[("Host", "cart.shop"), ("X-Two", "1"), ("x-two", "2")],
            content=b"hello",
        )

    assert answer.status_code == 200
    said = answer.json()
    assert said["headers"].pop("X-Two") == ["1", "2"]
    del said["headers"]
    assert said == {
        "path": "/a%2Fb//c?x=1&y=%20",
        "host": "cart.shop",
        "method": "PUT",
        "proto": "HTTP/1.1",
        "httpPort": str(cart.port),
        "namespace": "shop",
        "ingress": "",
        "service": "cart",
        "pod": "cart-1",
        "endpoint": cart.where,
        "body": "hello",
    }


async def test_no_body_waits_for_an_acknowledgement_of_its_head(client: httpx2.AsyncClient) -> None:
    async with echo([CART]) as (cart,):
        await client.get(f"http://{cart.where}/")
        assert not waits_for_acknowledgements((cart.address, cart.port))


async def test_each_of_many_endpoints_answers_as_itself(client: httpx2.AsyncClient) -> None:
    wanted = [
        EchoEndpoint(f"127.0.{net}.{host}", identity=Identity(f"pod-{net}-{host}"))
        for net in range(10, 14)
        for host in range(1, 101)
    ]
    async with echo(wanted) as real:
        for each in (real[0], real[199], real[399]):
            said = (await client.get(f"http://{each.where}/")).json()
            assert (said["pod"], said["endpoint"]) == (each.identity.pod, each.where)


async def test_one_port_on_several_addresses(client: httpx2.AsyncClient) -> None:
    async with echo([CART]) as (first,):
        twin = EchoEndpoint("127.0.0.2", first.port, Identity("cart-2"))
        async with echo([twin]):
            assert (await client.get(f"http://{twin.where}/")).json()["pod"] == "cart-2"
            assert (await client.get(f"http://{first.where}/")).json()["pod"] == "cart-1"


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
async def test_ipv6(client: httpx2.AsyncClient) -> None:
    async with echo([EchoEndpoint("::1")]) as (six,):
        assert six.where == f"[::1]:{six.port}"
        assert (await client.get(f"http://{six.where}/")).json()["endpoint"] == six.where


async def test_the_request_chooses_status_headers_and_delay(client: httpx2.AsyncClient) -> None:
    async with echo([CART]) as (cart,):
        answer = await client.get(
            f"http://{cart.where}/status/418?delay=30ms",
            headers=[("X-Echo-Set-Header", "a:1, b:2"), ("X-Echo-Set-Header", "a:3")],
        )
        wrong = await client.get(f"http://{cart.where}/?delay=soon")

    assert answer.status_code == 418
    assert answer.headers.get_list("a") == ["1", "3"]
    assert answer.headers["b"] == "2"
    assert answer.elapsed.total_seconds() > 0.03
    assert wrong.status_code == 500 and "soon" in wrong.text


async def test_what_is_still_being_answered_at_the_end_is_cut_off(
    client: httpx2.AsyncClient,
) -> None:
    async with echo([CART]) as (cart,):
        slow = asyncio.create_task(client.get(f"http://{cart.where}/?delay=1m"))
        await asyncio.sleep(0.05)
        began = time.monotonic()
    assert time.monotonic() - began < 1
    with pytest.raises(httpx2.TransportError):
        await slow


async def test_tcp_says_who_answers_and_echoes_bytes() -> None:
    redis = EchoEndpoint("127.0.0.1", identity=Identity("redis", "shop"), mode="tcp")
    async with echo([redis]) as (real,):
        reader, writer = await asyncio.open_connection(real.address, real.port)
        writer.write(b"\x00PING")
        assert await reader.readline() == f"endpoint {real.where} shop/redis\n".encode()
        assert await reader.readexactly(5) == b"\x00PING"
        writer.write(b"more")
        assert await reader.readexactly(4) == b"more"
    assert await reader.read() == b""
    writer.close()


async def test_an_address_in_use_is_named_and_nothing_is_kept() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        wanted = EchoEndpoint("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(OSError, match=f"cannot listen on {wanted.where}"):
            async with echo([EchoEndpoint("127.0.0.2", wanted.port), wanted]):
                pass
    with socket.create_server(("127.0.0.2", wanted.port)):
        pass


async def test_a_process_of_its_own_ends_with_us(client: httpx2.AsyncClient) -> None:
    tcp = EchoEndpoint("127.0.0.1", identity=Identity("redis"), mode="tcp")
    async with echo_process([CART, tcp]) as (cart, redis):
        assert (await client.get(f"http://{cart.where}/")).json()["pod"] == "cart-1"
        assert (redis.mode, redis.identity.pod) == ("tcp", "redis")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((cart.address, cart.port))


async def test_a_process_that_cannot_listen_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        wanted = EchoEndpoint("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(OSError, match=f"cannot listen on {wanted.where}"):
            async with echo_process([wanted]):
                pass


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("127.0.0.1:80", EchoEndpoint("127.0.0.1", 80)),
        ("127.0.0.1:80/a", EchoEndpoint("127.0.0.1", 80, Identity("a"))),
        ("http://[::1]:0/n/a", EchoEndpoint("::1", 0, Identity("a", "n"))),
        ("tcp://127.0.0.1:6379", EchoEndpoint("127.0.0.1", 6379, mode="tcp")),
        ("https://127.0.0.1:443/a", EchoEndpoint("127.0.0.1", 443, Identity("a"), "https")),
        ("udp://127.0.0.1:53", EchoEndpoint("127.0.0.1", 53, mode="udp")),
    ],
)
def test_an_endpoint_is_written_as_it_is_read(text: str, endpoint: EchoEndpoint) -> None:
    assert parse_endpoint(text) == endpoint
    assert parse_endpoint(str(endpoint)) == endpoint


@pytest.mark.parametrize(
    "text",
    ["", "127.0.0.1", ":80", "localhost:80", "127.0.0.1:99999", "1.2.3.400:1", "sctp://1.1.1.1:1"],
)
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not|does"):
        parse_endpoint(text)
