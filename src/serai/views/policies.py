"""Policies: objects that name targets and change what happens to their traffic."""

from __future__ import annotations

from typing import Any

import msgspec

from serai.api.kgateway import PolicyTargetSelector
from serai.api.kinds import KINDS, Kind
from serai.api.meta import Key
from serai.views.row import Row
from serai.views.state import State

_TARGETS = ("target_refs", "target_ref")


def _target_field(kind: Kind) -> str:
    spec = msgspec.structs.fields(kind.struct)
    of_spec = next((field.type for field in spec if field.name == "spec"), None)
    if not (isinstance(of_spec, type) and issubclass(of_spec, msgspec.Struct)):
        return ""
    names = {field.name for field in msgspec.structs.fields(of_spec)}
    return next((name for name in _TARGETS if name in names), "")


POLICY_KINDS = {kind.name: field for kind in KINDS if (field := _target_field(kind))}
"""The field of its spec that names targets, by kind.  Gateway API: GEP-713."""


class PolicyRow(Row, frozen=True):
    """A policy and what it is for."""

    namespace: str
    name: str
    kind: str
    targets: tuple[str, ...]


def policy_rows(state: State) -> list[PolicyRow]:
    """Every policy, by namespace and name."""
    found = [
        PolicyRow(key.namespace, key.name, key.kind, _targets(field, obj))
        for kind, field in POLICY_KINDS.items()
        for key, obj in state.pipeline.inputs.table(kind).items()
    ]
    found += [
        PolicyRow(key.namespace, key.name, key.kind, _unread(state, key))
        for key, _ in state.pipeline.inputs.unread.items()
    ]
    return sorted(found, key=lambda row: (row.namespace, row.name, row.kind))


def _unread(state: State, key: Key) -> tuple[str, ...]:
    """What a policy that cannot be read closes."""
    attached = state.pipeline.attached
    compiled = attached.policies.compiled.row(key) or attached.listener_policies.compiled.row(key)
    targets = compiled.targets if compiled else ()
    return tuple(f"{each.asked} (unreadable)" for each in targets) or ("nothing (unreadable)",)


def _targets(field: str, obj: Any) -> tuple[str, ...]:
    found = getattr(obj.spec, field)
    listed = found if isinstance(found, tuple) else (found,) if found else ()
    selected = (_selected(each) for each in getattr(obj.spec, "target_selectors", ()))
    return (*(f"{each.kind} {each.name}" for each in listed), *selected)


def _selected(selector: PolicyTargetSelector) -> str:
    labels = ",".join(f"{name}={value}" for name, value in sorted(selector.match_labels.items()))
    return f"{selector.kind} with {labels or 'any labels'}"
