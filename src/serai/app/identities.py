"""Certificates of the Gateways on this machine, from an authority of our own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from msgspec.structs import replace

from serai.app.pipeline import Pipeline
from serai.attach.gateways import Proxy
from serai.model.settings import Settings
from serai.translate.collections import Named
from serai.translate.names import WORKLOAD_CERTIFICATE

if TYPE_CHECKING:
    from serai.app.identity import Authority

log = structlog.get_logger(__name__)

LOOK_SECONDS = 600.0
"""Between looks at how long certificates have left."""


class Identities:
    """Keeps a fresh certificate in the folder of each Gateway, once one takes HBONE."""

    def __init__(self, folder: Path, trust_domain: str) -> None:
        """`folder` has a folder for each Gateway, and `ca` for the authority."""
        self.folder = folder
        self.authority_folder = folder / "ca"
        self._trust_domain = trust_domain
        self._authority: Authority | None = None
        self._looked: dict[str, float] = {}

    def ensure(self, pipeline: Pipeline) -> None:
        """See to it that each Gateway that needs one has one; what cannot be written is logged.

        Those that show theirs to somebody need it; and all, once one of them takes HBONE.
        A proxy's ServiceAccount is called as its Gateway, as Istio's deployments have it.
        """
        now = time.monotonic()
        found = tuple(proxy for _, proxy in pipeline.attached.proxies.items())
        secret = pipeline.translated.secrets.row
        hears = any(each.hears_names for each in found)
        for proxy in found:
            if not hears and secret(Named(proxy.key, WORKLOAD_CERTIFICATE)) is None:
                continue
            looked = self._looked.get(proxy.name)
            if looked is None or now - looked >= LOOK_SECONDS:
                try:
                    self._renew(proxy)
                except OSError as error:
                    log.warning("identities.not_kept", gateway=proxy.name, error=str(error))
                self._looked[proxy.name] = now

    def _renew(self, proxy: Proxy) -> None:
        from serai.app.identity import Authority  # noqa: PLC0415  cryptography takes 8 MiB

        if self._authority is None:
            self._authority = Authority(self.authority_folder, self._trust_domain)
        folder = self.folder / proxy.name
        identity = self._authority.identity(proxy.key.namespace, proxy.key.name)
        if not self._authority.is_fresh(folder, identity):
            self._authority.issue(folder, identity)


def own_identities(folder: Path, settings: Settings) -> tuple[Identities | None, Settings]:
    """An authority of our own, and settings that say so; none where the settings name another's."""
    if settings.identity_folder:
        return None, settings
    found = Identities(folder, settings.trust_domain)
    named = replace(settings, identity_folder=str(folder), identity_by_gateway=True)
    return found, named
