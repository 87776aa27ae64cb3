"""Requests that change something must come from a page of the same site.

Envoy: envoy.filters.http.csrf.
"""

from __future__ import annotations

import re
from typing import Any

from serai.api.regex import regex_problem
from serai.api.traffic_shaping import CSRF as WRITTEN
from serai.api.traffic_shaping import OriginMatch
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
from serai.proto.envoy import CsrfPolicy

FILTER = "envoy.filters.http.csrf"
_FORMS = ("exact", "prefix", "suffix", "contains", "safe_regex")
_CHANGING = frozenset({"POST", "PUT", "DELETE", "PATCH"})


class Source(Value, frozen=True):
    """An origin that may send too, by one of the ways to compare."""

    form: str
    value: str
    ignore_case: bool = False


class SameSite(Value, frozen=True):
    """For how many in a hundred requests it holds, and who else may send."""

    enforced: int = 100
    shadowed: int = 0
    sources: tuple[Source, ...] = ()


def _compile(_: Context, spec: WRITTEN) -> Compiled | Fault:
    if spec.percentage_enabled is not None and spec.percentage_shadowed is not None:
        return Fault("", "at most one of percentageEnabled and percentageShadowed may be set")
    sources: list[Source] = []
    for position, each in enumerate(spec.additional_origins):
        found = _source(each)
        if isinstance(found, str):
            return Fault(f"additionalOrigins[{position}]", found)
        sources.append(found)
    shadowed = spec.percentage_shadowed or 0
    enforced = spec.percentage_enabled
    if enforced is None:
        enforced = 0 if spec.percentage_shadowed is not None else 100
    return Compiled(SameSite(enforced, shadowed, tuple(sources)))


def _source(written: OriginMatch) -> Source | str:
    said = [(form, found) for form in _FORMS if (found := getattr(written, form)) is not None]
    if len(said) != 1:
        return "exactly one of exact, prefix, suffix, contains and safeRegex must be set"
    form, value = said[0]
    problem = regex_problem(value) if form == "safe_regex" else ""
    return problem or Source(form, value, written.ignore_case)


def _encode(same: SameSite) -> Encoded:
    policy = CsrfPolicy(
        filter_enabled=runtime_percent(same.enforced),
        shadow_enabled=runtime_percent(same.shadowed),
        additional_origins=[_matcher(each) for each in same.sources],
    )
    return Encoded(filters=((FILTER, policy),))


def _matcher(source: Source) -> dict[str, Any]:
    if source.form == "safe_regex":
        return {"safe_regex": {"regex": source.value}}
    return {source.form: source.value, "ignore_case": source.ignore_case}


def _judge(same: SameSite, asked: Asked) -> Judgement:
    if asked.method not in _CHANGING or not same.enforced:
        return Judgement("changes nothing" if same.enforced else "watched only")
    origin = _host(asked.header("origin") or asked.header("referer") or "")
    if origin == asked.authority or any(_takes(each, origin) for each in same.sources):
        return Judgement(f"sent by a page of {origin}")
    return Judgement(f"sent by a page of {origin or 'nobody'}", status=403)


def _host(url: str) -> str:
    """Host and port of a URL; of what is no URL, the text itself."""
    found = re.match(r"[a-z]+://([^/]*)", url)
    return found[1] if found else url


def _takes(source: Source, origin: str) -> bool:
    value, found = source.value, origin
    if source.ignore_case:
        value, found = value.lower(), found.lower()
    match source.form:
        case "exact":
            return found == value
        case "prefix":
            return found.startswith(value)
        case "suffix":
            return found.endswith(value)
        case "contains":
            return value in found
        case _:
            return re.fullmatch(source.value, origin) is not None


CSRF = Feature(name="csrf", stage=Stage.ROUTE, compile=_compile, encode=_encode, judge=_judge)
