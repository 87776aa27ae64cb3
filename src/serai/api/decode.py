"""A manifest's plain values into a typed object, or the problems that prevent it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from serai.api import kinds
from serai.api.fields import fields_of
from serai.api.fields_check import LONGEST_NAME, Findings, nearest_name, without_nulls
from serai.api.fields_sound import is_sound
from serai.api.fields_spare import is_spare
from serai.api.kinds import Kind
from serai.api.meta import Key, Object
from serai.api.problem import MORE, Problem
from serai.api.unread import Unread, unread
from serai.api.validate_meta import metadata_problems

DEFAULT_NAMESPACE = "default"


class Decoded(msgspec.Struct, frozen=True):
    """What became of one manifest."""

    object: Object | None
    """The object, unless an error prevents its use or Serai does not read its kind."""
    problems: tuple[Problem, ...] = ()
    """Errors say what is wrong; what follows from it (whether a version read before stays in
    force) is for the source to say, which alone knows."""
    key: Key | None = None
    """The identity, also of an object that can't be used, where the manifest tells it."""
    stands_in: Unread | None = None
    """What is to be in force where there is no object, if that must not let more through."""


def decode(raw: object, *, admitted: bool = False) -> Decoded:
    """Decodes one object, given as what YAML or JSON gave: maps, lists and scalars.

    Never raises on bad input.  Checks everything that an API server would check and that matters
    here, since a folder has none: field names, types, values, metadata.  What an API server has
    *admitted* may have fields of a later release; it is used without them where that lets nobody
    in who was to be kept out.
    """
    if not isinstance(raw, dict):
        return _refused("SER0006", "this is not an object with apiVersion, kind and metadata")
    api_version, name = raw.get("apiVersion"), raw.get("kind")
    if not isinstance(api_version, str) or not isinstance(name, str):
        return _refused("SER0002", _untyped(raw))
    kind = kinds.by_type(api_version, name)
    if kind is None:
        return Decoded(None, (_unknown_kind(api_version, name),))
    if kinds.split_api_version(api_version)[1] not in kind.versions:
        key = _key(raw, kind)
        problems = _stamped([_unknown_version(api_version, kind)], key)
        return Decoded(None, problems, key, stand_in(key, raw))
    return _decode_kind(raw, kind, admitted=admitted)


def _decode_kind(raw: dict[str, Any], kind: Kind, *, admitted: bool) -> Decoded:
    key = _key(raw, kind)
    findings = Findings(
        kind.name,
        secret=kind.name == "Secret",
        spare=lambda path: admitted and is_spare(kind, path),
    )
    fields = fields_of(kind.struct)
    if not is_sound(raw, kind.struct):
        findings.check(raw, fields, "")
    problems = [*findings.problems, *metadata_problems(raw.get("metadata"), kind)]
    if findings.more:
        problems.append(_more(findings.more, errors=findings.more_errors))
    result: Object | None = None
    if not any(problem.severity == "error" for problem in problems):
        plain = without_nulls(raw, fields) if findings.nulls else raw
        converted = _convert(_with_namespace(plain, kind), kind)
        if isinstance(converted, Problem):
            problems.append(converted)
        else:
            faults = tuple(kind.check(converted))
            problems += faults
            usable = not any(fault.severity == "error" for fault in faults)
            result = converted if usable else None
    return Decoded(
        result, _stamped(problems, key), key, None if result else stand_in(key, {"spec": {}, **raw})
    )


def stand_in(key: Key | None, raw: dict[str, Any]) -> Unread | None:
    """What is in force for an object that cannot be used, if without it too much would go through.

    It may restrict who gets in, or have what is sent encrypted.
    """
    kind = kinds.by_kind(key.kind) if key else None
    return unread(key, raw) if key and kind and (kind.restricts or kind.encrypts) else None


def _convert(plain: Mapping[str, Any], kind: Kind) -> Object | Problem:
    try:
        return msgspec.convert(plain, kind.struct)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at ")
        path = where.strip("`").removeprefix("$").removeprefix(".")
        words = message.replace("`", "")
        return Problem("SER0006", "error", f"{path}: {words}", f"Correct {path}.", path=path)


def _with_namespace(raw: Any, kind: Kind) -> dict[str, Any]:
    metadata = raw["metadata"]
    namespace = (metadata.get("namespace") or DEFAULT_NAMESPACE) if kind.namespaced else ""
    if metadata.get("namespace", "") == namespace:
        return dict(raw)
    return {**raw, "metadata": {**metadata, "namespace": namespace}}


def _key(raw: dict[str, Any], kind: Kind) -> Key | None:
    metadata = raw.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(name, str) or not name:
        return None
    namespace = metadata.get("namespace") or DEFAULT_NAMESPACE
    return Key(kind.name, str(namespace) if kind.namespaced else "", name)


def _stamped(problems: list[Problem], key: Key | None) -> tuple[Problem, ...]:
    if key is None:
        return tuple(problems)
    return tuple(msgspec.structs.replace(problem, key=key) for problem in problems)


def _more(count: int, *, errors: bool) -> Problem:
    message = f"and {count} more problems in this object"
    return Problem(MORE, "error" if errors else "warning", message, "Correct those listed first.")


def _refused(code: str, message: str) -> Decoded:
    remedy = "Write an object, or keep other YAML out of the folder."
    return Decoded(None, (Problem(code, "error", message, remedy),))


def _untyped(raw: dict[str, Any]) -> str:
    missing = [name for name in ("apiVersion", "kind") if not raw.get(name)]
    if missing:
        return f"{' and '.join(missing)} missing: this is not an object"
    return "apiVersion and kind must be strings"


def _unknown_version(api_version: str, kind: Kind) -> Problem:
    served = ", ".join(kind.versions)
    return Problem(
        "SER0009",
        "error",
        f"{kind.name} has no version {api_version}; there are {served}",
        f"Write apiVersion: {kind.api_version}.",
        path="apiVersion",
    )


def _unknown_kind(api_version: str, name: str) -> Problem:
    group, _ = kinds.split_api_version(api_version)
    api_version, name = api_version[:LONGEST_NAME], name[:LONGEST_NAME]
    meant = kinds.by_kind(name) or kinds.by_kind(nearest_name(name, kinds.NAMES))
    if name in kinds.UNREAD.get(group, ()) or not _is_mistake(group, meant):
        return _foreign(api_version, name, meant)
    if meant is None:
        known = ", ".join(kind.name for kind in kinds.KINDS if kind.group == group)
        remedy = f"Kinds of {group or 'v1'} that Serai reads: {known}."
    else:
        remedy = f"Did you mean {meant.api_version} {meant.name}?"
    path = "kind" if group in kinds.GROUPS and (not meant or meant.group == group) else "apiVersion"
    message = f"there is no kind {name} in {api_version}"
    return Problem("SER0002", "error", message, remedy, path=path)


def _is_mistake(group: str, meant: Kind | None) -> bool:
    """Whether an unknown type is one of ours misspelt, rather than one of somebody else's."""
    if group in kinds.GROUPS:
        return True
    if meant is None:
        return False
    builtin = "." not in group or group.endswith(".k8s.io")
    close = bool(nearest_name(group, tuple(kinds.GROUPS)))
    return close or builtin or meant.name not in kinds.COMMON_WORDS


def _foreign(api_version: str, name: str, meant: Kind | None) -> Problem:
    remedy = "Nothing to do, unless it was meant to take part."
    if meant and meant.name == name and meant.api_version != api_version:
        remedy = f"Nothing to do, unless {meant.api_version} {meant.name} was meant."
    message = f"{api_version} {name} is not read by Serai; it changes nothing here"
    return Problem("SER0008", "warning", message, remedy, path="kind")
