"""Of which bundle the Gateway API's CRDs in a cluster are."""

from __future__ import annotations

import msgspec

from serai.kube.reflector import Delta
from serai.status.bundle import ANNOTATION, CLASSES


class _Metadata(msgspec.Struct, frozen=True):
    annotations: dict[str, str] | None = None


class _Definition(msgspec.Struct, frozen=True):
    metadata: _Metadata = _Metadata()


def bundles_of(delta: Delta) -> dict[str, str | None]:
    """What has changed, by the names of CRDs that are looked at: the annotation, None: it is gone.

    Empty where the CRD has no such annotation.  `delta` is of CRDs, of these the metadata.
    """
    found: dict[str, str | None] = {each.name: None for each in delta.gone if each.name == CLASSES}
    for item in delta.put:
        if item.name.name == CLASSES:
            metadata = msgspec.json.decode(item.raw, type=_Definition).metadata
            found[CLASSES] = (metadata.annotations or {}).get(ANNOTATION, "")
    return found
