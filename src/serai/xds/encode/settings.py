"""What listener policies change in listeners, in their chains and in connection managers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from serai.ir.leaf import Leaf
from serai.listener_policies import BY_FIELD, SETTINGS
from serai.listener_policies.setting import Changes
from serai.xds.encode.body import extension

_ORDER = {setting.field: place for place, setting in enumerate(SETTINGS)}


def changes(settings: Iterable[Leaf]) -> Changes:
    """All changes as one."""
    ordered = sorted(settings, key=lambda leaf: _ORDER[leaf.feature])
    found = [BY_FIELD[leaf.feature].encode(leaf.value) for leaf in ordered]
    manager: Mapping[str, Any] = {}
    for each in found:
        manager = merged(manager, each.manager)
    return Changes(
        manager=manager,
        listener={name: value for each in found for name, value in each.listener.items()},
        chain={name: value for each in found for name, value in each.chain.items()},
        filters=tuple(one for each in found for one in each.filters),
        listener_filters=tuple(one for each in found for one in each.listener_filters),
        early=tuple(one for each in found for one in each.early),
    )


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a message with others over them; messages inside are merged too, lists are not."""
    found = dict(under)
    for name, value in over.items():
        below = found.get(name)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        found[name] = merged(below or {}, value) if both else value
    return found


def listener_filters(found: Changes) -> list[dict[str, Any]]:
    """The listener filters that are asked for."""
    return [extension(*each) for each in found.listener_filters]
