"""What a transformation comes to."""

from __future__ import annotations

from serai.ir.origin import Value
from serai.policies.transformation.template import Template


class Side(Value, frozen=True):
    """What is changed in a request, or in an answer."""

    set: tuple[tuple[str, Template], ...] = ()
    add: tuple[tuple[str, Template], ...] = ()
    remove: tuple[str, ...] = ()
    body: Template | None = None
    metadata: tuple[tuple[str, str, Template], ...] = ()
    """Namespace, key and value."""


class Changes(Value, frozen=True):
    """Of both."""

    request: Side
    response: Side


def merged(first: Changes, then: Changes) -> Changes:
    """The changes of two, where what cannot be both is as the first says."""
    return Changes(_merged(first.request, then.request), _merged(first.response, then.response))


def _merged(first: Side, then: Side) -> Side:
    setting = {name for name, _ in first.set}
    known = {(namespace, key) for namespace, key, _ in first.metadata}
    return Side(
        set=(*first.set, *(each for each in then.set if each[0] not in setting)),
        add=(*first.add, *then.add),
        remove=tuple(dict.fromkeys((*first.remove, *then.remove))),
        body=then.body if first.body is None else first.body,
        metadata=(*first.metadata, *(each for each in then.metadata if each[:2] not in known)),
    )
