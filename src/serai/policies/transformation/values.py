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
