"""What parametersRef of GatewayClasses, Gateways and XMeshes name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serai.api.gateway import ParametersReference
from serai.api.gateway_parameters import GatewayParameters
from serai.api.meta import Key
from serai.api.validate_gateway_parameters import check_gateway_parameters
from serai.attach.verdict import ACCEPTED, Verdict, refused
from serai.incremental import Node, Reader

Tables = Mapping[tuple[str, str], Node[Key, Any]]
"""The objects that can be parameters, by group and kind."""


def parameters(
    reader: Reader, tables: Tables, reference: ParametersReference | None, namespace: str
) -> Verdict:
    """Whether the parameters are there, and can be used.

    `namespace` is that of who names them; empty where they must be named with theirs.
    """
    if reference is None:
        return ACCEPTED
    table = tables.get((reference.group, reference.kind))
    if table is None:
        known = ", ".join(sorted(f"{group} {kind}" for group, kind in tables)) or "none"
        message = (
            f"parametersRef names a {reference.kind} of {reference.group or 'v1'}, which can be no"
            f" parameters here; kinds that can: {known}"
        )
        return refused("InvalidParameters", message)
    key = key_of(reference, namespace)
    found = reader.get(table, key)
    if found is None:
        return refused("InvalidParameters", f"parametersRef names {key}, which does not exist")
    if isinstance(found, GatewayParameters):
        for fault in check_gateway_parameters(found.spec):
            return refused("InvalidParameters", f"{key}: {fault.message}")
    return ACCEPTED


def key_of(reference: ParametersReference, namespace: str) -> Key:
    """Whom a reference names; only where `namespace` is empty may it name another one."""
    return Key(reference.kind, namespace or reference.namespace or "", reference.name)
