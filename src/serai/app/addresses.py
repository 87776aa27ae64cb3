"""Where each Gateway listens, kept on disk so that what runs on can be adopted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import structlog

from serai.api.meta import Key
from serai.attach.gateways import proxy_key
from serai.envoy.state import write_atomically

log = structlog.get_logger(__name__)

_Addresses = dict[str, tuple[str, ...]]


class AddressFile:
    """The addresses of Gateways, as they were when last written."""

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self._path = path
        self._kept: _Addresses = {}

    def read(self) -> dict[Key, tuple[str, ...]] | None:
        """Those of the run before; None if there was none, or it cannot be read."""
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=_Addresses)
        except (OSError, msgspec.DecodeError):
            return None
        return {proxy_key(name): addresses for name, addresses in kept.items()}

    def keep(self, addresses: Mapping[Key, tuple[str, ...]]) -> None:
        """Write them, if they are others than before."""
        kept = {key.namespaced_name: each for key, each in sorted(addresses.items())}
        if kept == self._kept:
            return
        try:
            write_atomically(self._path, msgspec.json.encode(kept))
        except OSError as error:
            log.warning("addresses.not_kept", error=str(error))
        self._kept = kept
