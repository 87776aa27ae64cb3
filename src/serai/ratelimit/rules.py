"""Which limit a descriptor has.  The rules are those of Envoy's reference service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from serai.api.rate_limit_config import Descriptor, Domain, Unit

Entries = tuple[tuple[str, str], ...]
"""A descriptor: keys and values in order."""

SECONDS: Mapping[Unit, int] = {
    "second": 1,
    "minute": 60,
    "hour": 3_600,
    "day": 86_400,
    "week": 7 * 86_400,
    "month": 30 * 86_400,
    "year": 365 * 86_400,
}


class Limit(msgspec.Struct, frozen=True):
    """A limit that a descriptor has."""

    amount: int
    unit: Unit
    path: str
    """By which metrics know it: the keys that led to it, with values as far as they are written."""
    name: str = ""
    replaces: tuple[str, ...] = ()
    unlimited: bool = False
    shadow: bool = False

    @property
    def seconds(self) -> int:
        """How long a window is."""
        return SECONDS[self.unit]


class _Level(msgspec.Struct, frozen=True):
    """What may come next in a descriptor."""

    exact: dict[tuple[str, str], Descriptor]
    prefixes: tuple[tuple[str, str, Descriptor], ...]
    """By key and beginning, the longest first."""

    def find(self, key: str, value: str) -> Descriptor | None:
        """The rule for an entry: for its value, for how it begins, or for any value of its key."""
        found = self.exact.get((key, value)) if value else None
        if found is not None:
            return found
        for its_key, prefix, descriptor in self.prefixes:
            if its_key == key and value.startswith(prefix):
                return descriptor
        return self.exact.get((key, ""))


class Rules:
    """The limits of all domains, ready to be looked up."""

    def __init__(self, domains: Iterable[Domain]) -> None:
        """Of several domains of one name the first counts."""
        self._domains: dict[str, Domain] = {}
        for each in domains:
            self._domains.setdefault(each.domain, each)
        self._levels: dict[int, _Level] = {}

    def limit(self, domain: str, entries: Entries) -> Limit | None:
        """The limit of a descriptor; None if there is none."""
        found = self._domains.get(domain)
        descriptors = found.descriptors if found else ()
        path: list[str] = []
        rule: Descriptor | None = None
        for key, value in entries:
            rule = self._level(descriptors).find(key, value) if descriptors else None
            if rule is None:
                return None
            shown = value if rule.detailed_metric else rule.value
            path.append(f"{key}_{shown}" if shown else key)
            descriptors = rule.descriptors
        return _limit(rule, ".".join(path)) if rule else None

    def _level(self, descriptors: tuple[Descriptor, ...]) -> _Level:
        # By identity, which lasts as long as the tuples, and those are kept by the domains.
        found = self._levels.get(id(descriptors))
        if found is None:
            found = self._levels[id(descriptors)] = _level(descriptors)
        return found


def _level(descriptors: tuple[Descriptor, ...]) -> _Level:
    prefixes = [
        (each.key, each.value[:-1], each) for each in descriptors if each.value.endswith("*")
    ]
    prefixes.sort(key=lambda each: -len(each[1]))
    return _Level({(each.key, each.value): each for each in descriptors}, tuple(prefixes))


def _limit(rule: Descriptor, path: str) -> Limit | None:
    found = rule.rate_limit
    if found is None:
        return None
    return Limit(
        amount=found.requests_per_unit,
        unit=found.unit or "second",
        path=path,
        name=found.name,
        replaces=tuple(each.name for each in found.replaces),
        unlimited=found.unlimited,
        shadow=rule.shadow_mode,
    )
