"""With what xDS is served: files that somebody keeps new, or a Secret that all replicas share."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import structlog

from serai.app.controller.options import Options
from serai.kube.access import Access, ApiError
from serai.kube.resource import Resource
from serai.kube.shape import MANAGED_BY
from serai.kube.wire import Name
from serai.server.authority import Keys, Pair, from_data, is_vouched_for, pair, settled, to_data

log = structlog.get_logger(__name__)

SECRETS = Resource("", "v1", "secrets", "Secret")
SECRET = "serai-xds"  # noqa: S105  a name

OURS = {MANAGED_BY: "serai"}
"""The labels of a Secret that we made, and may make anew."""

FILES_SECONDS = 2.0
"""How often files are looked at."""
SECRET_SECONDS = 60.0
"""How often the Secret is looked at: another replica may have renewed what it keeps."""
AGAIN_SECONDS = 2.0
CONFLICTS = frozenset({404, 409})
"""Another replica was there first."""


class XdsKeys(Protocol):
    """What there is now, followed."""

    trusted_changed: Callable[[], None]
    """Called when there are other authorities to trust."""

    @property
    def serving(self) -> Pair:
        """The certificate and its key."""

    @property
    def trust(self) -> bytes:
        """The authorities that Envoys are to trust, in PEM."""

    async def first(self) -> None:
        """Get them, however long that takes."""

    async def run(self) -> None:
        """Follow them until cancelled."""


class FileKeys:
    """A folder's files, read again when they change; what does not fit is not used."""

    def __init__(self, folder: Path) -> None:
        """OSError or ValueError if they cannot be used now."""
        self.trusted_changed: Callable[[], None] = lambda: None
        self._files = tuple(folder / each for each in ("tls.crt", "tls.key", "ca.crt"))
        self._read: tuple[bytes, ...] = tuple(each.read_bytes() for each in self._files)
        self.serving, self.trust = _fitting(*self._read), self._read[2]

    async def first(self) -> None:
        """They are there already."""

    async def run(self) -> None:
        """Look at them again and again."""
        while True:
            await asyncio.sleep(FILES_SECONDS)
            try:
                found = await asyncio.to_thread(lambda: [each.read_bytes() for each in self._files])
                if tuple(found) == self._read:
                    continue
                self.serving = _fitting(*found)
            except (OSError, ValueError) as error:
                log.warning("xds.certificate_not_used", error=str(error))
                continue
            before, self._read, self.trust = self._read, tuple(found), found[2]
            log.info("xds.certificate", origin=str(self._files[0]))
            if self.trust != before[2]:
                self.trusted_changed()


class SecretKeys:
    """Our own authority, kept in a Secret: who first needs something newer, makes it."""

    def __init__(self, access: Access, namespace: str, hosts: tuple[str, ...]) -> None:
        """`hosts` are the names by which Envoys find us."""
        self.trusted_changed: Callable[[], None] = lambda: None
        self._access = access
        self._name = Name(namespace, SECRET)
        self._hosts = hosts
        self._keys: Keys | None = None

    @property
    def keys(self) -> Keys:
        """All of it, once there is something."""
        if self._keys is None:
            raise RuntimeError("nothing was read yet")
        return self._keys

    @property
    def serving(self) -> Pair:
        """The certificate and its key."""
        return self.keys.serving

    @property
    def trust(self) -> bytes:
        """The authorities to trust."""
        return self.keys.trust

    async def first(self) -> None:
        """Read it, or make it."""
        while self._keys is None:
            if not await self.look():
                await asyncio.sleep(AGAIN_SECONDS)

    async def run(self) -> None:
        """Keep it new."""
        while True:
            good = await self.look()
            await asyncio.sleep(SECRET_SECONDS if good else AGAIN_SECONDS)

    async def look(self) -> bool:
        """Whether what there is now was read, and is as it should be."""
        try:
            found = await self._access.read(SECRETS, self._name)
            kept = from_data(_decoded(found)) if found is not None else None
            if found is not None and kept is None:
                remedy = "It is made anew." if _is_ours(found) else "Delete it, if it is nobody's."
                where = f"{self._name.namespace}/{SECRET}"
                log.warning("xds.secret_of_no_use", secret=where, remedy=remedy)
                if not _is_ours(found):
                    return False
            keys = await asyncio.to_thread(settled, kept, self._hosts, datetime.now(UTC))
            if keys != kept:
                await self._write(found, keys)
        except ApiError as error:
            if error.status not in CONFLICTS:
                log.warning("xds.no_secret", error=str(error))
            return False
        self._take(keys)
        return True

    async def _write(self, found: dict[str, Any] | None, keys: Keys) -> None:
        data = {name: b64encode(value).decode() for name, value in to_data(keys).items()}
        if found is None:
            metadata = {"name": SECRET, "namespace": self._name.namespace, "labels": OURS}
            await self._access.create(
                SECRETS, self._name.namespace, {"metadata": metadata, "data": data}
            )
        else:
            # With its resourceVersion: of two who renew it, one is refused, and reads again.
            await self._access.replace(SECRETS, self._name, {**found, "data": data})

    def _take(self, keys: Keys) -> None:
        before, self._keys = self._keys, keys
        if before is None or before.serving != keys.serving:
            log.info("xds.certificate", origin=f"Secret {self._name.namespace}/{SECRET}")
        if before is not None and before.trust != keys.trust:
            self.trusted_changed()


def keys_of(access: Access, options: Options) -> XdsKeys | None:
    """Those that it is to run with; None: it is not to be secured.

    OSError or ValueError for files that cannot be used.
    """
    if options.xds_tls == "none":
        return None
    if isinstance(options.xds_tls, Path):
        return FileKeys(options.xds_tls)
    host = options.xds_host or f"serai.{options.namespace}.svc"
    return SecretKeys(access, options.namespace, (host,))


def _fitting(certificate: bytes, key: bytes, trust: bytes) -> Pair:
    """ValueError unless all three belong together: else no Envoy would believe us."""
    found = pair(certificate, key)
    if not is_vouched_for(found, trust):
        raise ValueError("tls.crt is signed by none of ca.crt, so that no Envoy would believe it")
    return found


def _is_ours(secret: dict[str, Any]) -> bool:
    labels = secret["metadata"].get("labels") or {}
    return OURS.items() <= labels.items()


def _decoded(secret: dict[str, Any]) -> dict[str, bytes]:
    try:
        return {name: b64decode(value) for name, value in (secret.get("data") or {}).items()}
    except (Base64Error, ValueError):
        return {}
