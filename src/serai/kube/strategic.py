"""Kubernetes' strategic merge patch, as far as it is told apart by what objects we make.

Pure.  Maps are merged, null removes, lists of objects are merged by the field that names each,
other lists are replaced; ``$patch`` says ``replace`` or ``delete`` in place of that.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

MERGE_KEYS = {
    "containers": ("name",),
    "env": ("name",),
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ownerReferences": ("uid",),
    "ports": ("containerPort", "port"),
    "resourceClaims": ("name",),
    "topologySpreadConstraints": ("topologyKey",),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
"""By which field the entries of a list are told apart: of a Pod's ports or else of a Service's."""

DIRECTIVE = "$patch"


def merge(below: Any, patch: Any, field: str = "") -> Any:
    """What is there with a patch over it; neither is changed.  `field` is the name of both."""
    if isinstance(patch, dict):
        return _merge_maps(below if isinstance(below, dict) else {}, patch)
    if isinstance(patch, list) and patch and all(isinstance(each, dict) for each in patch):
        key = _merge_key(field, patch)
        replaced = any(each.get(DIRECTIVE) == "replace" for each in patch)
        if key and isinstance(below, list) and not replaced:
            return _merge_lists(below, patch, key)
        return [merge(None, each) for each in patch if each.keys() - {DIRECTIVE}]
    return patch


def _merge_maps(below: Json, patch: Json) -> Json:
    directive = patch.get(DIRECTIVE)
    if directive == "delete":
        return {}
    merged = {} if directive == "replace" else dict(below)
    for name, value in patch.items():
        if value is None or (isinstance(value, dict) and value.get(DIRECTIVE) == "delete"):
            merged.pop(name, None)
        elif name != DIRECTIVE:
            merged[name] = merge(merged.get(name), value, name)
    return merged


def _merge_lists(below: list[Any], patch: list[Json], key: str) -> list[Any]:
    merged = list(below)
    for each in patch:
        name = each.get(key)
        at = next((i for i, other in enumerate(merged) if other.get(key) == name), len(merged))
        if each.get(DIRECTIVE) == "delete":
            del merged[at : at + 1]
        else:
            merged[at : at + 1] = [merge(merged[at] if at < len(merged) else None, each)]
    return merged


def _merge_key(field: str, patch: list[Json]) -> str:
    keys = MERGE_KEYS.get(field, ())
    entries = [each for each in patch if each.keys() - {DIRECTIVE}]
    return next((key for key in keys if all(key in each for each in entries)), "")
