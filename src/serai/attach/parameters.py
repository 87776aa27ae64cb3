"""What parametersRef of GatewayClasses, Gateways and XMeshes name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serai.api.gateway import ParametersReference
from serai.api.meta import Key
from serai.attach.verdict import ACCEPTED, Verdict, refused
from serai.incremental import Node, Reader

Tables = Mapping[tuple[str, str], Node[Key, Any]]
"""The objects that can be parameters, by group and kind."""


def parameters(
    reader: Reader, tables: Tables, reference: ParametersReference | None, namespace: str
) -> Verdict:
    """Whether the parameters are there.  `namespace` is that of who names them."""
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
    key = Key(reference.kind, reference.namespace or namespace, reference.name)
    if reader.get(table, key) is None:
        return refused("InvalidParameters", f"parametersRef names {key}, which does not exist")
    return ACCEPTED
