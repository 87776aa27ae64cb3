"""A limit that each Envoy keeps by itself.  Envoy: envoy.filters.http.local_ratelimit.

The bucket belongs to what the policy was attached to: one for each host of a service or listener,
and one for each rule that has policies of its own.
"""

from __future__ import annotations

from datetime import timedelta

from serai.api.duration import seconds
from serai.api.traffic_policy import LocalRateLimit as Spec
from serai.ir.origin import Value
from serai.policies.feature import (
    Asked,
    Compiled,
    Context,
    Encoded,
    Fault,
    Feature,
    Judgement,
    Stage,
    runtime_percent,
)
from serai.proto.envoy import LocalRateLimit

FILTER = "envoy.filters.http.local_ratelimit"
SHORTEST_FILL_SECONDS = 0.05


class Bucket(Value, frozen=True):
    """Tokens that requests take, and that come back over time.  No tokens: no limit."""

    tokens: int = 0
    per_fill: int = 1
    fill_seconds: float = 1.0
    percent_enabled: int = 100
    percent_enforced: int = 100


def _compile(_: Context, spec: Spec) -> Compiled | Fault:
    bucket = spec.token_bucket
    if bucket is None:
        return Compiled(Bucket())
    interval = seconds(bucket.fill_interval)
    if interval is None or interval < SHORTEST_FILL_SECONDS:
        message = f'"{bucket.fill_interval}" is not a duration of at least 50ms, such as 1s'
        return Fault("tokenBucket.fillInterval", message)
    if bucket.max_tokens < 1 or bucket.tokens_per_fill < 1:
        return Fault("tokenBucket", "maxTokens and tokensPerFill must be at least 1")
    return Compiled(
        Bucket(
            bucket.max_tokens,
            bucket.tokens_per_fill,
            interval,
            spec.percent_enabled,
            spec.percent_enforced,
        )
    )


def _encode(bucket: Bucket) -> Encoded:
    if not bucket.tokens:
        return Encoded()
    limit = LocalRateLimit(
        stat_prefix="http_local_rate_limiter",
        token_bucket={
            "max_tokens": bucket.tokens,
            "tokens_per_fill": {"value": bucket.per_fill},
            "fill_interval": timedelta(seconds=bucket.fill_seconds),
        },
        filter_enabled=runtime_percent(bucket.percent_enabled),
        filter_enforced=runtime_percent(bucket.percent_enforced),
    )
    return Encoded(filters=((FILTER, limit),))


def _judge(bucket: Bucket, _: Asked) -> Judgement:
    if not bucket.tokens:
        return Judgement("no limit")
    return Judgement(
        f"at most {bucket.tokens} at once, then {bucket.per_fill} every {bucket.fill_seconds:g} s;"
        " 429 beyond"
    )


RATE_LIMIT_LOCAL = Feature(
    name="rateLimit.local",
    stage=Stage.RATE_LIMIT,
    compile=_compile,
    encode=_encode,
    judge=_judge,
)
