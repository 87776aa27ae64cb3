"""The conversation with Envoys: envoy.service.ratelimit.v3.RateLimitService over gRPC."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import grpc
import msgspec
import structlog

from serai.proto.envoy import RateLimitRequest, RateLimitResponse
from serai.ratelimit.counters import Counted, Counters, UnavailableError, counter_key
from serai.ratelimit.metrics import Metrics
from serai.ratelimit.rules import Entries, Limit, Rules

log = structlog.get_logger(__name__)

SERVICE: Final = "envoy.service.ratelimit.v3.RateLimitService"
HEALTH: Final = "grpc.health.v1.Health"
SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"
"""grpc.health.v1.HealthCheckResponse: field 1 is the status."""

_UNITS: Final = {1: "second", 2: "minute", 3: "hour", 4: "day", 5: "month", 6: "year"}
"""envoy.type.v3.RateLimitUnit."""

OPTIONS: Final = (("grpc.so_reuseport", 0),)


class Asked(msgspec.Struct, frozen=True):
    """A descriptor with what it is counted as."""

    entries: Entries
    limit: Limit | None
    cost: int


class RateLimits:
    """Answers Envoys by the rules of the moment."""

    def __init__(self, counters: Counters, metrics: Metrics, *, headers: bool = False) -> None:
        """`headers`: whether answers tell clients of their limit themselves."""
        self.rules = Rules(())
        self._counters = counters
        self._metrics = metrics
        self._headers = headers
        self._server: grpc.aio.Server | None = None

    async def start(self, address: str) -> int:
        """Listen at ``host:port`` or ``unix:/path``; the port.  OSError if that cannot be had."""
        server = grpc.aio.server(options=OPTIONS)
        asked = grpc.unary_unary_rpc_method_handler(
            self._should_rate_limit,
            request_deserializer=RateLimitRequest.FromString,
            response_serializer=RateLimitResponse.SerializeToString,
        )
        check = grpc.unary_unary_rpc_method_handler(self._check)
        server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(SERVICE, {"ShouldRateLimit": asked}),
                grpc.method_handlers_generic_handler(HEALTH, {"Check": check}),
            )
        )
        try:
            port = server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(f"cannot listen at {address}: {error}") from error
        await server.start()
        self._server = server
        return port

    async def stop(self, grace_seconds: float = 1.0) -> None:
        """Answer what was asked, and nothing more."""
        if self._server is not None:
            await self._server.stop(grace_seconds)

    async def _check(self, _: bytes, __: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        return SERVING if await self._counters.check() else NOT_SERVING

    async def _should_rate_limit(
        self, request: Any, context: grpc.aio.ServicerContext[Any, Any]
    ) -> RateLimitResponse:
        if not request.domain or not request.descriptors:
            self._metrics.malformed.inc()
            what = "descriptors are" if request.domain else "the domain is"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{what} missing")
        asked = asked_for(self.rules, request)
        try:
            with self._metrics.seconds.time():
                counted = await asyncio.gather(
                    *(self._counted(request.domain, each) for each in asked)
                )
        except UnavailableError as error:
            self._metrics.unavailable.inc()
            log.warning("ratelimit.unavailable", error=str(error), domain=request.domain)
            await context.abort(grpc.StatusCode.UNAVAILABLE, f"nothing can be counted: {error}")
        return self._answer(request.domain, asked, counted)

    async def _counted(self, domain: str, asked: Asked) -> Counted | None:
        limit = asked.limit
        if limit is None or limit.unlimited:
            return None
        key = counter_key(domain, asked.entries)
        return await self._counters.hit(key, limit.amount, limit.seconds, asked.cost)

    def _answer(
        self, domain: str, asked: Sequence[Asked], counted: Sequence[Counted | None]
    ) -> RateLimitResponse:
        pairs = list(zip(asked, counted, strict=True))
        for each, found in pairs:
            self._metrics.count(domain, each.limit, found, each.cost)
        refused = any(_refuses(each, found) for each, found in pairs)
        return RateLimitResponse(
            overall_code="OVER_LIMIT" if refused else "OK",
            statuses=[_status(each, found) for each, found in pairs],
            response_headers_to_add=headers(pairs, refused=refused) if self._headers else (),
        )


def asked_for(rules: Rules, request: Any) -> list[Asked]:
    """The descriptors of a request, with their limits; those that are replaced have none."""
    found = [_asked(rules, request, each) for each in request.descriptors]
    replaced = {name for each in found if each.limit for name in each.limit.replaces}
    return [
        msgspec.structs.replace(each, limit=None)
        if each.limit and each.limit.name in replaced
        else each
        for each in found
    ]


def _asked(rules: Rules, request: Any, descriptor: Any) -> Asked:
    entries = tuple((entry.key, entry.value) for entry in descriptor.entries)
    # 0 of a request means that nothing was said, 0 of a descriptor that nothing is to be added.
    cost = request.hits_addend or 1
    if descriptor.HasField("hits_addend"):
        cost = descriptor.hits_addend.value
    limit = rules.limit(request.domain, entries)
    if descriptor.HasField("limit"):
        limit = _override(descriptor.limit, limit, entries)
    return Asked(entries, limit, cost)


def _override(written: Any, known: Limit | None, entries: Entries) -> Limit | None:
    """The limit that an Envoy brings along, in place of the one that is known."""
    unit = _UNITS.get(written.unit)
    if unit is None:
        return known
    path = known.path if known else ".".join(key for key, _ in entries)
    shadow = known.shadow if known else False
    return msgspec.convert(
        {"amount": written.requests_per_unit, "unit": unit, "path": path, "shadow": shadow}, Limit
    )


def _refuses(asked: Asked, counted: Counted | None) -> bool:
    return bool(asked.limit and counted and counted.over and not asked.limit.shadow)


def _status(asked: Asked, counted: Counted | None) -> dict[str, Any]:
    limit = asked.limit
    if limit is None or counted is None:
        # Envoy takes the smallest number for the client's: this one is no limit.
        return {"code": "OK", "limit_remaining": 0xFFFFFFFF if limit else 0}
    return {
        "code": "OVER_LIMIT" if _refuses(asked, counted) else "OK",
        "current_limit": {
            "name": limit.name,
            "requests_per_unit": limit.amount,
            "unit": limit.unit.upper(),
        },
        "limit_remaining": counted.remaining,
        "duration_until_reset": timedelta(seconds=math.ceil(counted.reset_seconds)),
    }


def headers(
    pairs: Sequence[tuple[Asked, Counted | None]], *, refused: bool
) -> list[dict[str, str]]:
    """What clients are told: of the limit with the least left, and when to come again."""
    known = [(each.limit, found) for each, found in pairs if each.limit and found]
    if not known:
        return []
    limit, found = min(known, key=lambda each: (each[1].remaining, -each[1].reset_seconds))
    reset = str(math.ceil(found.reset_seconds))
    told = {
        "ratelimit-limit": f"{limit.amount}, {limit.amount};w={limit.seconds}",
        "ratelimit-remaining": str(found.remaining),
        "ratelimit-reset": reset,
    }
    if refused:
        told["retry-after"] = reset
    return [{"key": name, "value": value} for name, value in told.items()]
