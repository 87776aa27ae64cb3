"""The service as Envoys ask it, over gRPC, and as those see it who look after it, over HTTP."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest

from ratelimit.redis_server import RedisServer, until
from serai.proto.envoy import RateLimitRequest, RateLimitResponse
from serai.ratelimit.config import changes
from serai.ratelimit.run import Options, Service

LIMITS = """
domain: shop
descriptors:
- key: client
  rate_limit: {unit: hour, requests_per_unit: 2, name: each}
- key: tier
  value: gold
  rate_limit: {unit: hour, requests_per_unit: 5, replaces: [{name: each}]}
- key: try
  shadow_mode: true
  rate_limit: {unit: minute, requests_per_unit: 1}
- key: free
  rate_limit: {unlimited: true}
"""

CLIENT = {"entries": [{"key": "client", "value": "a"}]}


class Running:
    """A service, a client of it, and its admin address."""

    def __init__(self, service: Service, limits: Path, admin: str) -> None:
        self.service, self.limits, self.admin = service, limits, admin
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{service.port}")

    async def ask(self, *descriptors: dict[str, Any], domain: str = "shop", **more: Any) -> Any:
        call = self.channel.unary_unary(
            "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit",
            request_serializer=RateLimitRequest.SerializeToString,
            response_deserializer=RateLimitResponse.FromString,
        )
        return await call(RateLimitRequest(domain=domain, descriptors=descriptors, **more))

    async def get(self, path: str) -> tuple[int, str]:
        async with httpx2.AsyncClient() as client:
            answer = await client.get(f"http://{self.admin}{path}")
        return answer.status_code, answer.text

    async def health(self) -> bytes:
        answer: bytes = await self.channel.unary_unary(
            "/grpc.health.v1.Health/Check", bytes, bytes
        )(b"")
        return answer


@contextlib.asynccontextmanager
async def running(tmp: Path, **options: Any) -> AsyncIterator[Running]:
    limits = tmp / "limits.yaml"
    limits.write_text(LIMITS)
    with socket.create_server(("127.0.0.1", 0)) as free:
        admin = f"127.0.0.1:{free.getsockname()[1]}"
    wanted = Options(listen="127.0.0.1:0", admin=admin, **options)
    service = Service(wanted, changes([tmp]))
    async with service.serving():
        client = Running(service, limits, admin)
        try:
            yield client
        finally:
            await client.channel.close(None)


def codes(answer: Any) -> list[int]:
    return [answer.overall_code, *(each.code for each in answer.statuses)]


OK, OVER = 1, 2


async def test_a_limit_holds_and_is_told(tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        answers = [await client.ask(CLIENT) for _ in range(3)]

    assert [codes(each) for each in answers] == [[OK, OK], [OK, OK], [OVER, OVER]]
    assert [each.statuses[0].limit_remaining for each in answers] == [1, 0, 0]
    limit = answers[0].statuses[0].current_limit
    assert (limit.name, limit.requests_per_unit, limit.unit) == ("each", 2, 3)
    assert 3590 < answers[0].statuses[0].duration_until_reset.seconds <= 3600
    assert not answers[0].response_headers_to_add


async def test_each_descriptor_is_counted_and_any_refuses(tmp_path: Path) -> None:
    unknown = {"entries": [{"key": "client", "value": "b"}, {"key": "x", "value": "y"}]}
    async with running(tmp_path) as client:
        await client.ask(CLIENT, hits_addend=2)
        answer = await client.ask({"entries": [{"key": "free", "value": "1"}]}, CLIENT, unknown)
        nothing = await client.ask(unknown)
        elsewhere = await client.ask(CLIENT, domain="other")

    assert codes(answer) == [OVER, OK, OVER, OK]
    assert not answer.statuses[0].HasField("current_limit")
    assert codes(nothing) == codes(elsewhere) == [OK, OK]


async def test_a_named_limit_is_replaced(tmp_path: Path) -> None:
    gold = {"entries": [{"key": "tier", "value": "gold"}]}
    async with running(tmp_path) as client:
        answers = [await client.ask(CLIENT, gold) for _ in range(6)]
        alone = await client.ask(CLIENT)

    assert [each.overall_code for each in answers] == [OK] * 5 + [OVER]
    assert codes(alone) == [OK, OK]


async def test_shadow_mode_counts_and_lets_pass(tmp_path: Path) -> None:
    tried = {"entries": [{"key": "try", "value": "1"}]}
    async with running(tmp_path) as client:
        answers = [await client.ask(tried) for _ in range(3)]
        _, metrics = await client.get("/metrics")

    assert {each.overall_code for each in answers} == {OK}
    assert 'serai_ratelimit_hits_total{domain="shop",limit="try",result="shadow"} 2.0' in metrics


async def test_envoys_may_add_several_hits_none_or_bring_a_limit(tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        await client.ask({**CLIENT, "hits_addend": {"value": 0}}, hits_addend=9)
        several = await client.ask({**CLIENT, "hits_addend": {"value": 2}})
        over = await client.ask(CLIENT)
        brought = {**CLIENT, "limit": {"requests_per_unit": 9, "unit": "HOUR"}}
        wider = await client.ask(brought)

    assert [codes(each) for each in (several, over, wider)] == [[OK, OK], [OVER, OVER], [OK, OK]]
    assert wider.statuses[0].current_limit.requests_per_unit == 9


async def test_clients_are_told_if_it_is_to_be_so(tmp_path: Path) -> None:
    async with running(tmp_path, headers=True) as client:
        first = await client.ask(CLIENT)
        await client.ask(CLIENT)
        third = await client.ask(CLIENT)
        unlimited = await client.ask({"entries": [{"key": "free", "value": "1"}]})

    told = {each.key: each.value for each in first.response_headers_to_add}
    assert told.pop("ratelimit-reset").isdecimal()
    assert told == {"ratelimit-limit": "2, 2;w=3600", "ratelimit-remaining": "1"}
    refused = {each.key: each.value for each in third.response_headers_to_add}
    assert refused["retry-after"] == refused["ratelimit-reset"]
    assert not unlimited.response_headers_to_add


async def test_a_question_about_nothing_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        for asked in (client.ask(), client.ask(CLIENT, domain="")):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await asked
            assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_limits_change_while_it_runs_and_stay_while_they_are_wrong(tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        client.limits.write_text(LIMITS.replace("requests_per_unit: 2", "requests_per_unit: 3"))
        await until(lambda: limited_to(client, 3))
        client.limits.write_text("domain: [")

        async def told() -> bool:
            _, metrics = await client.get("/metrics")
            return 'serai_ratelimit_reloads_total{result="error"} 1.0' in metrics

        await until(told)
        assert await limited_to(client, 3)
        client.limits.write_text(LIMITS)
        await until(lambda: limited_to(client, 2))


async def limited_to(client: Running, amount: int) -> bool:
    answer = await client.ask({**CLIENT, "hits_addend": {"value": 0}})
    return bool(answer.statuses[0].current_limit.requests_per_unit == amount)


async def test_it_says_how_it_is(tmp_path: Path) -> None:
    redis = RedisServer(tmp_path)
    await redis.start()
    try:
        async with running(tmp_path, redis=redis.url) as client:
            assert (await client.ask(CLIENT)).overall_code == OK
            assert await client.get("/healthz") == (200, "ok\n")
            assert await client.get("/readyz") == (200, "ok\n")
            assert await client.health() == b"\x08\x01"

            redis.stop()
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await client.ask({"entries": [{"key": "client", "value": "b"}]})
            assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
            assert (await client.get("/healthz"))[0] == 200
            assert (await client.get("/readyz"))[0] == 503
            assert await client.health() == b"\x08\x02"

            await redis.start()
            await until(lambda: ready(client))
            assert (await client.ask(CLIENT)).overall_code == OK
    finally:
        redis.stop()


async def ready(client: Running) -> bool:
    return (await client.get("/readyz"))[0] == 200
