"""Limits for a rate limit service, written as those of Envoy's reference service are.

A file has a domain and its descriptors, nested as the entries of a request's descriptor follow
each other; several files may be one, divided by ``---``.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Unit = Literal["second", "minute", "hour", "day", "week", "month", "year"]

LABEL = "serai.dev/rate-limits"
"""Of the ConfigMaps that have limits for Serai's own rate limit service; ``true``."""
DEEPEST = 32
"""Levels of YAML, more than anybody writes by hand."""
LARGEST_BYTES = 1 << 20
"""As large as a ConfigMap can be."""


class _Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Fields are named as they are written, and an unknown one is a mistake."""


class Replaced(_Struct, frozen=True):
    """rate_limit.replaces[]: another limit, by its name."""

    name: str


class RateLimit(_Struct, frozen=True):
    """rate_limit: how many requests there may be in a unit of time."""

    unit: Unit | None = None
    requests_per_unit: int = 0
    unlimited: bool = False
    name: str = ""
    replaces: tuple[Replaced, ...] = ()
    """Limits that do not count where this one does."""


class Descriptor(_Struct, frozen=True):
    """An entry of a descriptor.

    Its limit is for a value, for values that begin as ``value*`` says, or without a value for each
    by itself.
    """

    key: str
    value: str = ""
    rate_limit: RateLimit | None = None
    descriptors: tuple[Descriptor, ...] = ()
    shadow_mode: bool = False
    """Counts, and lets pass what is beyond."""
    detailed_metric: bool = False
    """Whether metrics tell values apart; each is then a time series."""


class Domain(_Struct, frozen=True):
    """A domain and its limits."""

    domain: str
    descriptors: tuple[Descriptor, ...] = ()


class Wrong(msgspec.Struct, frozen=True):
    """Why a text has no limits: a field, if it is about one, and a sentence."""

    path: str
    message: str


def parse(text: str) -> tuple[Domain, ...] | Wrong:
    """The domains of a text in YAML."""
    import yaml  # noqa: PLC0415  most start without limits

    if len(text) > LARGEST_BYTES:
        return Wrong("", f"is longer than {LARGEST_BYTES} bytes")
    try:
        wrong = _unsafe(text)
        # Plain values are read as text, so that `value: 10` and `value: on` mean what is written.
        found = [] if wrong else list(yaml.load_all(text, Loader=yaml.CBaseLoader))
    except yaml.YAMLError as error:
        return Wrong("", f"is no YAML: {' '.join(str(error).split())}")
    return wrong or _domains([each for each in found if each is not None and each != ""])


def parse_json(content: bytes) -> tuple[Domain, ...] | Wrong:
    """The domains of a list in JSON, as `serai run` hands them on."""
    try:
        return msgspec.json.decode(content, type=tuple[Domain, ...])
    except msgspec.MsgspecError as error:
        return Wrong("", str(error))


def _unsafe(text: str) -> Wrong | None:
    """What would make much of a short text."""
    import yaml  # noqa: PLC0415

    depth = 0
    for event in yaml.parse(text, Loader=yaml.CBaseLoader):
        if isinstance(event, yaml.AliasEvent):
            return Wrong("", "has an alias (*), which is not read here; write it out")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            return Wrong("", f"is nested deeper than {DEEPEST} levels")
    return None


def _domains(found: list[object]) -> tuple[Domain, ...] | Wrong:
    domains: list[Domain] = []
    for each in found:
        try:
            domain = msgspec.convert(each, Domain, strict=False)
        except msgspec.ValidationError as error:
            message, _, where = str(error).partition(" - at ")
            return Wrong(where.strip("`").removeprefix("$").lstrip("."), message.replace("`", ""))
        wrong = _wrong(domain)
        if wrong:
            return wrong
        domains.append(domain)
    names = [each.domain for each in domains]
    twice = next((name for name in names if names.count(name) > 1), "")
    return Wrong("domain", f"{twice} is there twice") if twice else tuple(domains)


def _wrong(domain: Domain) -> Wrong | None:
    if not domain.domain:
        return Wrong("domain", "is empty")
    return _wrong_below(domain.descriptors, "descriptors")


def _wrong_below(descriptors: tuple[Descriptor, ...], path: str) -> Wrong | None:
    seen: set[tuple[str, str]] = set()
    for position, each in enumerate(descriptors):
        here = f"{path}[{position}]"
        if not each.key:
            return Wrong(f"{here}.key", "is empty")
        if (each.key, each.value) in seen:
            return Wrong(here, f"key {each.key} {each.value}".rstrip() + " is there twice")
        seen.add((each.key, each.value))
        wrong = _wrong_limit(each.rate_limit, f"{here}.rate_limit")
        wrong = wrong or _wrong_below(each.descriptors, f"{here}.descriptors")
        if wrong:
            return wrong
    return None


def _wrong_limit(limit: RateLimit | None, path: str) -> Wrong | None:
    if limit is None:
        return None
    if limit.unlimited:
        return Wrong(path, "has unlimited and a unit") if limit.unit else None
    if limit.unit is None:
        return Wrong(f"{path}.unit", "is needed, unless it is unlimited")
    if not 0 <= limit.requests_per_unit < 1 << 32:
        return Wrong(f"{path}.requests_per_unit", "is not a number from 0 to 4294967295")
    return None
