"""Secrets and ConfigMaps, as far as certificates are looked up in them."""

from __future__ import annotations

import msgspec

from serai.api.core import ConfigMap, Secret
from serai.api.meta import Key
from serai.incremental import Node, Reader


class CertificateSources(msgspec.Struct, frozen=True):
    """Where certificates and keys are found."""

    secrets: Node[Key, Secret]
    config_maps: Node[Key, ConfigMap]

    def read(self, reader: Reader, key: Key) -> Secret | ConfigMap | None:
        """The object under a key, if it is there and of one of these kinds."""
        if key.kind == "Secret":
            return reader.get(self.secrets, key)
        return reader.get(self.config_maps, key) if key.kind == "ConfigMap" else None
