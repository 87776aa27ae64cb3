"""ReferenceGrants: whether a reference may cross into another namespace."""

from __future__ import annotations

from serai.api.gateway import GROUP, ReferenceGrant
from serai.api.kinds import by_kind
from serai.api.meta import Key
from serai.incremental import Graph, Index, Node, Reader


class Grants:
    """Answers whether a reference is permitted.  The grant lives in the target's namespace."""

    def __init__(self, graph: Graph, grants: Node[Key, ReferenceGrant]) -> None:
        self._grants = grants
        self._by_namespace: Index[str, Key] = Index(
            graph, "grants by namespace", grants, lambda key, _: (key.namespace,)
        )

    def permits(self, reader: Reader, source: Key, target: Key) -> bool:
        """Whether an object may refer to another.  Gateway API: ReferenceGrant.

        Within a namespace it always may.
        """
        if source.namespace == target.namespace:
            return True
        found = reader.rows(self._by_namespace, target.namespace, self._grants)
        return any(_permits(grant, source, target) for _, grant in found)


def _permits(grant: ReferenceGrant, source: Key, target: Key) -> bool:
    asked_by = (_group(source.kind), source.kind, source.namespace)
    listed = ((each.group, each.kind, each.namespace) for each in grant.spec.from_)
    return asked_by in listed and any(
        (each.group, each.kind) == (_group(target.kind), target.kind)
        and each.name in {None, "", target.name}
        for each in grant.spec.to
    )


def _group(kind: str) -> str:
    known = by_kind(kind)
    return known.group if known else GROUP
