"""GatewayExtensions: whether they say whom to ask, and whether what they name is there.

What a provider refers to is found by the names of its fields, so that this holds for each
provider, also for those that come to be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from serai.api.gateway_extension import GatewayExtension
from serai.api.meta import Key
from serai.attach.verdict import ACCEPTED, Verdict, refused
from serai.backends import Invalid, Reference, resolve
from serai.incremental import Reader
from serai.model.rate_limits import OWN_GROUP, OWN_KIND
from serai.model.service import BackendKey
from serai.translate.policies import Looks


def provided(extension: GatewayExtension) -> Verdict:
    """Whether it has one provider.  kgateway."""
    given = [name for name, value in _fields(extension.spec) if isinstance(value, msgspec.Struct)]
    if len(given) == 1:
        return ACCEPTED
    found = " and ".join(given) or "none that Serai reads"
    return refused("Invalid", f"spec has {found}; it must have one provider")


def unresolved(
    reader: Reader, looks: Looks, key: Key, extension: GatewayExtension
) -> Iterator[tuple[str, Verdict]]:
    """What it refers to and cannot have, by path, in the order of the fields."""
    for path, field, value in _references(extension.spec, "spec"):
        match field:
            case "secretRef" | "clientSecretRef":
                held = Key("Secret", key.namespace, value.name)
                there = reader.get(looks.secrets, held) is not None
            case "configMapRef":
                held = Key("ConfigMap", key.namespace, value.name)
                there = reader.get(looks.config_maps, held) is not None
            case _:
                found = _resolved(reader, looks, _reference(key, value))
                if isinstance(found, Invalid):
                    yield path, refused(found.reason, f"{path}: {found.message}")
                continue
        if not there:
            yield path, refused(f"Invalid{held.kind}Ref", f"{path}: {held} does not exist")


def _resolved(reader: Reader, looks: Looks, asked: Reference) -> BackendKey | Invalid | None:
    """None: Serai's own rate limit service, which is no backend."""
    if (asked.group, asked.kind) != (OWN_GROUP, OWN_KIND):
        return resolve(reader, looks.lookup, asked)
    if looks.settings.rate_limits_at:
        return None
    words = "Serai was not told where its own rate limit service is (--rate-limit-service)"
    return Invalid("BackendNotFound", words)


def _references(value: Any, path: str) -> Iterator[tuple[str, str, Any]]:
    """Every reference in a spec: its path, the name of its field, and itself."""
    if isinstance(value, tuple):
        for index, each in enumerate(value):
            yield from _references(each, f"{path}[{index}]")
    if isinstance(value, msgspec.Struct):
        for field, each in _fields(value):
            here = f"{path}.{field}"
            if isinstance(each, msgspec.Struct) and field.endswith("Ref"):
                yield here, field, each
            else:
                yield from _references(each, here)


def _fields(struct: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    for each in msgspec.structs.fields(struct):
        yield each.encode_name, getattr(struct, each.name)


def _reference(source: Key, value: Any) -> Reference:
    return Reference(
        source=source,
        group=getattr(value, "group", None) or "",
        kind=getattr(value, "kind", None) or "Service",
        name=value.name,
        namespace=getattr(value, "namespace", None),
        port=getattr(value, "port", None),
    )
