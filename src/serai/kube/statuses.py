"""What is to be written of a status: what is ours and has changed, and nothing of others'.

Conditions and listeners are lists that server-side apply merges, so only ours are in what is
written.  ``parents`` and ``ancestors`` are replaced as a whole: others' entries are written back as
they were read, and only if nobody has written meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from serai.attach.gateways import CONTROLLER
from serai.kube.access import FIELD_MANAGER

UNMERGED = frozenset({"ServiceEntry", "WorkloadEntry"})
"""Kinds whose CRD says of no list how to merge it."""
_OURS = frozenset({"istio.io/WaypointBound", "istio.io/WaypointMissing"})
"""What we say on them, unless istiod is there to say it."""
WHOLE_LISTS = {"parents": 32, "ancestors": 16}
"""Of which every entry has the controllerName of who wrote it, and how many there may be.

Gateway API: where others have filled the list, no further entries are added.
"""

Json = dict[str, Any]


class Observed(msgspec.Struct, frozen=True):
    """An object as the API server has it, as far as its status is concerned."""

    uid: str
    version: str
    status: Json
    owned: frozenset[str] = frozenset()
    """Types of conditions that we wrote."""
    ours: bool = False
    """Whether we wrote anything of the status."""
    conditions_ours: bool = False
    """Whether nobody has written its conditions as a whole after us."""


class Write(msgspec.Struct, frozen=True):
    """What to write."""

    status: Json
    """Of the status, all that is to be ours."""
    guarded: bool = False
    """Only if the object is still of the version that was observed."""
    form: Literal["apply", "patch"] = "apply"
    """A patch replaces the whole status: of kinds whose lists nothing merges."""


class _Managed(msgspec.Struct, rename="camel"):
    manager: str = ""
    subresource: str = ""
    fields_v1: Json = msgspec.field(name="fieldsV1", default_factory=dict)


class _Meta(msgspec.Struct, rename="camel"):
    uid: str = ""
    resource_version: str = ""
    managed_fields: list[_Managed] = []


class _Object(msgspec.Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)
    status: Json | None = None


_OBJECT = msgspec.json.Decoder(_Object)


def observe(raw: bytes) -> Observed:
    """What an object in JSON shows.  Raises msgspec.DecodeError."""
    found = _OBJECT.decode(raw)
    mine = [
        each
        for each in found.metadata.managed_fields
        if each.manager == FIELD_MANAGER and each.subresource == "status"
    ]
    types = (_types(each.fields_v1.get("f:status", {}).get("f:conditions", {})) for each in mine)
    return Observed(
        found.metadata.uid,
        found.metadata.resource_version,
        found.status or {},
        frozenset(name for some in types for name in some),
        bool(mine),
        any("f:conditions" in each.fields_v1.get("f:status", {}) for each in mine),
    )


def _types(fields: Mapping[str, Any]) -> list[str]:
    keys = (msgspec.json.decode(each[2:]) for each in fields if each.startswith("k:"))
    return [str(key["type"]) for key in keys if "type" in key]


def to_write(kind: str, wanted: Json | None, observed: Observed, now: str) -> Write | None:
    """What to write so that an object's status says what is wanted; None: it does already.

    `wanted` is None where we have nothing to say; `now` is the time for what changes.
    """
    if kind in UNMERGED:
        return _patched(wanted or {}, observed, now)
    for field in WHOLE_LISTS:
        if field in (wanted or {}) or (wanted is None and field in observed.status):
            return _listed(field, wanted or {}, observed, now)
    if wanted is None:
        return Write({}) if observed.ours else None
    status = _timed(wanted, observed.status, now)
    kept = {each["type"] for each in status.get("conditions", ())}
    if observed.owned <= kept and _says(observed.status, status):
        return None
    return Write(status)


def _listed(field: str, wanted: Json, observed: Observed, now: str) -> Write | None:
    there = [each for each in observed.status.get(field) or () if isinstance(each, dict)]
    others = [each for each in there if each.get("controllerName") != CONTROLLER]
    mine = [each for each in there if each.get("controllerName") == CONTROLLER]
    room = max(0, WHOLE_LISTS[field] - len(others))
    entries = [_entry(each, mine, now) for each in wanted.get(field, ())][:room]
    if mine == entries:
        return None
    return Write({field: [*others, *entries]}, guarded=True)


def _entry(wanted: Json, there: list[Json], now: str) -> Json:
    ref = "parentRef" if "parentRef" in wanted else "ancestorRef"
    before = next((each for each in there if each.get(ref) == wanted[ref]), {})
    return _timed(wanted, before, now)


def _patched(wanted: Json, observed: Observed, now: str) -> Write | None:
    """One of an UNMERGED kind.  What istiod said after us stays."""
    before = observed.status.get("conditions") or []
    mine = _timed({"conditions": wanted.get("conditions", [])}, observed.status, now)["conditions"]
    types = {each["type"] for each in mine} | (_OURS if observed.conditions_ours else set())
    conditions = [*(each for each in before if each.get("type") not in types), *mine]
    status = {**observed.status, "conditions": conditions}
    if not conditions:
        del status["conditions"]
    if "addresses" in wanted:
        status["addresses"] = wanted["addresses"]
        if not wanted["addresses"]:
            del status["addresses"]
    same = {name: each for name, each in observed.status.items() if each}
    return None if status == same else Write(status, guarded=True, form="patch")


def _timed(wanted: Json, before: Json, now: str) -> Json:
    """The wanted, each condition with the time of its last transition."""
    found = dict(wanted)
    if "conditions" in wanted:
        there = {each.get("type"): each for each in before.get("conditions") or ()}
        found["conditions"] = [
            _condition(each, there.get(each["type"], {}), now) for each in wanted["conditions"]
        ]
    if "listeners" in wanted:
        by_name = {each.get("name"): each for each in before.get("listeners") or ()}
        found["listeners"] = [
            _timed(each, by_name.get(each["name"], {}), now) for each in wanted["listeners"]
        ]
    return found


def _condition(wanted: Json, before: Json, now: str) -> Json:
    same = before.get("status") == wanted["status"]
    since = before.get("lastTransitionTime") if same else None
    return {**wanted, "lastTransitionTime": since or now}


def _says(there: Any, wanted: Any) -> bool:
    """Whether what is there says all that is wanted; more conditions may be there."""
    if isinstance(wanted, dict):
        return isinstance(there, dict) and all(
            _conditions(there.get(name), each)
            if name == "conditions"
            else _says(there.get(name), each)
            for name, each in wanted.items()
        )
    if isinstance(wanted, list):
        there = there or []
        return len(there) == len(wanted) and all(map(_says, there, wanted))
    return bool(there == wanted)


def _conditions(there: Any, wanted: list[Json]) -> bool:
    by_type = {each.get("type"): each for each in there or ()}
    return all(by_type.get(each["type"]) == each for each in wanted)
