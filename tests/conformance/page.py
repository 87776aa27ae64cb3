"""The features' table of docs/gateway-api.md, as data."""

from __future__ import annotations

import re
from functools import cache

import msgspec

from conformance.data import REPOSITORY

PAGE = REPOSITORY / "docs" / "gateway-api.md"
PROFILES = {
    "H": "GATEWAY-HTTP",
    "G": "GATEWAY-GRPC",
    "L": "GATEWAY-TLS",
    "T": "GATEWAY-TCP",
    "U": "GATEWAY-UDP",
    "MH": "MESH-HTTP",
    "MG": "MESH-GRPC",
    "-": "(none)",
}
_QUOTED = re.compile(r"`([^`]+)`")


class Row(msgspec.Struct, frozen=True):
    """One feature."""

    feature: str
    profiles: tuple[str, ...]
    where: tuple[str, ...]
    """Files below src/serai."""
    tests: tuple[str, ...]
    """Files and folders below tests."""


@cache
def features() -> dict[str, Row]:
    """The rows, by feature.  ValueError where one is written twice."""
    section = PAGE.read_text().partition("\n## Features\n")[2].partition("\n## ")[0]
    found: dict[str, Row] = {}
    for line in section.splitlines():
        cells = [each.strip() for each in line.strip("|").split("|")]
        if len(cells) != 4 or cells[0] in {"feature", "---"}:
            continue
        name, profiles, where, tests = cells
        if name in found:
            raise ValueError(f"{PAGE} has {name} twice")
        named = tuple(PROFILES[each] for each in profiles.split())
        found[name] = Row(name, named, tuple(_QUOTED.findall(where)), tuple(_QUOTED.findall(tests)))
    return found
