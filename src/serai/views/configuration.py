"""Everything that comes out of translation, as JSON: Envoy's resources, statuses, problems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from serai.api.meta import Key
from serai.api.problem import Problem
from serai.proto.json import to_json
from serai.proto.pool import message
from serai.status.values import written
from serai.views.pipeline import Pipeline
from serai.views.problems import problem_rows
from serai.views.row import object_name
from serai.xds.resource import Resource, ResourceType

SECTIONS: Mapping[str, ResourceType] = {
    "listeners": ResourceType.LISTENER,
    "filter_chains": ResourceType.FILTER_CHAIN,
    "scoped_routes": ResourceType.SCOPE,
    "routes": ResourceType.ROUTES,
    "clusters": ResourceType.CLUSTER,
    "endpoints": ResourceType.ENDPOINTS,
    "secrets": ResourceType.SECRET,
    "extensions": ResourceType.EXTENSION,
}
"""The keys of a gateway's configuration, and what they hold."""

PARTS = ("gateways", "status", "problems")
"""The keys of the whole."""

_PUBLIC = frozenset({"certificate_chain", "ocsp_staple"})
CONFIDENTIAL = "serai.confidential."
"""How filters are named whose headers have values from Secrets."""
_WITHHELD = {"inline_string": "[redacted]"}


def configuration(
    pipeline: Pipeline,
    problems: Iterable[Problem],
    *,
    gateways: Iterable[Key] | None = None,
    only: Iterable[str] = (),
) -> dict[str, Any]:
    """What is sent to each Gateway's Envoys, the status of each object, and the problems.

    `gateways` limits the configuration to some; `only` limits the whole to some of PARTS and
    SECTIONS.
    """
    asked = set(only)
    sections = [name for name in SECTIONS if name in asked] or list(SECTIONS)
    whole: dict[str, Any] = {}
    if not asked or "gateways" in asked or asked & SECTIONS.keys():
        if "gateways" in asked:
            sections = list(SECTIONS)
        keys = sorted(pipeline.attached.proxies.keys() if gateways is None else gateways)
        resources = resources_of(pipeline)
        whole["gateways"] = {
            key.namespaced_name: {
                section: [as_json(each) for each in resources.get((key, SECTIONS[section]), ())]
                for section in sections
            }
            for key in keys
        }
    if not asked or "status" in asked:
        whole["status"] = statuses(pipeline)
    if not asked or "problems" in asked:
        whole["problems"] = msgspec.to_builtins(problem_rows(problems))
    return whole


def statuses(pipeline: Pipeline) -> dict[str, Any]:
    """The status of each object, as it is written back, by ``Kind/namespace/name``."""
    found = {object_name(key): status for key, status in pipeline.statuses.items()}
    return {name: written(found[name]) for name in sorted(found)}


def resources_of(pipeline: Pipeline) -> dict[tuple[Key, ResourceType], list[Resource]]:
    """The resources of each Gateway and type, sorted by name, as from where the settings say."""
    found: dict[tuple[Key, ResourceType], list[Resource]] = {}
    for key, resource in pipeline.snapshot.items():
        if key.viewpoint is None:
            found.setdefault((key.proxy, resource.type), []).append(resource)
    for listed in found.values():
        listed.sort(key=lambda each: each.name)
    return found


def as_json(resource: Resource) -> Any:
    """A resource as Envoy's own config dump prints it; of a secret only what is no secret."""
    content = message(resource.type.value).FromString(resource.body)
    plain = to_json(content)
    return _redacted(plain) if resource.type is ResourceType.SECRET else _without_keys(plain)


def _without_keys(value: Any) -> Any:
    """The same without private keys, which clusters have, and what policies took from Secrets."""
    match value:
        case {"name": str(name), "typed_config": dict(config)} if name.startswith(CONFIDENTIAL):
            return {"name": name, "typed_config": _without_values(config)}
        case dict():
            kind = str(value.get("@type", "")).rpartition(".")[2]
            return {name: _plain(kind, name, held) for name, held in value.items()}
        case list():
            return [_without_keys(each) for each in value]
        case _:
            return value


def _plain(kind: str, name: str, held: Any) -> Any:
    """A field of a message, if that is of no `kind` with secrets in it."""
    match kind, name:
        case (_, "private_key") | ("BasicAuth", "users"):
            return _WITHHELD
        case "ApiKeyAuth", "credentials":
            return [{**each, "key": "[redacted]"} for each in held]
        case _:
            return _without_keys(held)


def _without_values(value: Any) -> Any:
    """The same without the values of headers."""
    match value:
        case {"key": key, "value": _}:
            return {"key": key, "value": "[redacted]"}
        case dict():
            return {name: _without_values(held) for name, held in value.items()}
        case list():
            return [_without_values(each) for each in value]
        case _:
            return value


def _redacted(secret: dict[str, Any]) -> dict[str, Any]:
    """Of certificates what is public, of other secrets nothing."""
    return {name: _shown(name, value) for name, value in secret.items()}


def _shown(name: str, value: Any) -> Any:
    match name, value:
        case "name" | "validation_context", _:
            return value
        case "tls_certificate", {**parts}:
            return {part: held if part in _PUBLIC else _WITHHELD for part, held in parts.items()}
        case _:
            return _WITHHELD
