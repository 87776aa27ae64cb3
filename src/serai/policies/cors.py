"""Cross-origin resource sharing.  Envoy: envoy.filters.http.cors.  Gateway API: GEP-1767."""

from __future__ import annotations

import re
from typing import Any

import re2

from serai.api.traffic_policy import HTTPCORSFilter
from serai.ir.origin import Value
from serai.policies.feature import Asked, Compiled, Context, Encoded, Feature, Judgement, Stage
from serai.proto.envoy import CorsPolicy

FILTER = "envoy.filters.http.cors"
ANY = "*"


class Cors(Value, frozen=True):
    """Which pages may call, and how.  No origins: nothing is said to browsers at all."""

    origins: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    expose: tuple[str, ...] = ()
    credentials: bool = False
    max_age_seconds: int = 5


def cors(spec: HTTPCORSFilter) -> Cors:
    """What a TrafficPolicy's cors, or the filter CORS of a route, asks for."""
    if spec.disable is not None:
        return Cors()
    return Cors(
        origins=spec.allow_origins,
        methods=spec.allow_methods,
        headers=spec.allow_headers,
        expose=spec.expose_headers,
        credentials=spec.allow_credentials,
        max_age_seconds=spec.max_age,
    )


def _compile(_: Context, spec: HTTPCORSFilter) -> Compiled:
    return Compiled(cors(spec))


def _encode(value: Cors) -> Encoded:
    policy = CorsPolicy(
        allow_origin_string_match=[_matcher(origin) for origin in value.origins],
        allow_methods=",".join(value.methods),
        allow_headers=",".join(value.headers),
        expose_headers=",".join(value.expose),
        allow_credentials={"value": value.credentials},
        max_age=str(value.max_age_seconds),
        # A preflight from elsewhere is answered too, and without a word on what is allowed.
        forward_not_matching_preflights={"value": not value.origins},
    )
    return Encoded(per_route=((FILTER, policy),))


def _matcher(origin: str) -> dict[str, Any]:
    if origin == ANY:
        return {"safe_regex": {"regex": ".*"}}
    if ANY in origin:
        return {"safe_regex": {"regex": _pattern(origin)}}
    return {"exact": origin}


def _pattern(origin: str) -> str:
    """A wildcard stands for any number of labels; the scheme and the port are as written."""
    return re.escape(origin).replace(r"\*", "[^/:]+")


def _allows(value: Cors, origin: str) -> bool:
    return any(
        each in {ANY, origin} or (ANY in each and re2.fullmatch(_pattern(each), origin))
        for each in value.origins
    )


def _judge(value: Cors, asked: Asked) -> Judgement:
    origin = asked.header("origin")
    if not value.origins or origin is None:
        return Judgement("not asked by a page of another origin")
    allowed = _allows(value, origin)
    if asked.method == "OPTIONS" and asked.header("access-control-request-method"):
        headers = (("access-control-allow-origin", origin),) if allowed else ()
        said = (*headers, *_preflight(value, asked))
        return Judgement(f"a preflight from {origin}", status=200, headers=said)
    return Judgement(f"{origin} may{'' if allowed else ' not'} read the answer")


def _preflight(value: Cors, asked: Asked) -> tuple[tuple[str, str], ...]:
    """What a preflight is told whoever asks; without an origin beside it, it permits nothing.

    Where a page may send credentials, browsers take ``*`` for a name, and what is asked is said.
    """

    def told(names: tuple[str, ...], wanted: str) -> str:
        mirrored = value.credentials and names == (ANY,)
        return (asked.header(wanted) or "") if mirrored else ",".join(names)

    said = (
        ("access-control-allow-credentials", "true" if value.credentials else ""),
        ("access-control-allow-methods", told(value.methods, "access-control-request-method")),
        (
            "access-control-allow-headers",
            told(value.headers, "access-control-request-headers"),
        ),
        ("access-control-max-age", str(value.max_age_seconds)),
    )
    return tuple((name, text) for name, text in said if text)


CORS = Feature(name="cors", stage=Stage.CORS, compile=_compile, encode=_encode, judge=_judge)
