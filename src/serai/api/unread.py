"""What stands in for an object that cannot be read, where leaving it out would let more through."""

from __future__ import annotations

from typing import Any

from serai.api.meta import Key, Object, ObjectMeta


class Unread(Object, frozen=True):
    """An object that is there and cannot be read, with what can still be told of it."""

    kind: str = ""
    spec: dict[str, Any] | None = None
    """As it was written; None where not even that can be told."""

    @property
    def key(self) -> Key:
        """The identity of the object that cannot be read."""
        return Key(self.kind, self.metadata.namespace, self.metadata.name)


def unread(key: Key, raw: dict[str, Any]) -> Unread:
    """What can be told of a manifest that has an identity and cannot be decoded."""
    written = raw.get("metadata")
    known = written if isinstance(written, dict) else {}
    created, generation = known.get("creationTimestamp"), known.get("generation")
    metadata = ObjectMeta(
        name=key.name,
        namespace=key.namespace,
        labels=_texts(known.get("labels")),
        annotations=_texts(known.get("annotations")),
        creation_timestamp=created if isinstance(created, str) else None,
        generation=generation if isinstance(generation, int) else 1,
    )
    spec = raw.get("spec")
    return Unread(metadata, key.kind, spec if isinstance(spec, dict) else None)


def _texts(found: object) -> dict[str, str]:
    items = found.items() if isinstance(found, dict) else ()
    return {str(name): value for name, value in items if isinstance(value, str)}
