"""What must be known after we are gone: which Envoys run, where, and whose they are.

Under the root there is one folder for each instance, that is for each set of PATHs given to
`serai run`.  It holds the lock of the `serai run` that owns it, the xDS socket, and for each Envoy
its record, bootstrap and log.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from serai.api.problem import Place, Problem
from serai.envoy.pid import Pid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SOCKET_PATH_BYTES = 107 if sys.platform == "linux" else 103
"""The longest path of a unix socket (sockaddr_un.sun_path without its closing NUL)."""

PRIVATE = 0o700

CLAIM_ATTEMPTS = 10
"""An owner that is just leaving removes the folder, so that it must be made again."""


class EnvoyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One Envoy process, as written to disk."""

    token: str
    """Names its files within the folder."""
    gateway: str
    """``namespace/name``."""
    pid: Pid
    command: tuple[str, ...]
    digest: str
    """Of all that it was started with; one that would be started otherwise now is replaced."""
    log: str
    admin: str = ""
    """``host:port``; empty until Envoy has told it."""


class EnvoyFiles(msgspec.Struct, frozen=True):
    """Where one Envoy's files are."""

    record: Path
    bootstrap: Path
    admin: Path
    """Written by Envoy: the address of its admin interface."""
    log: Path
    access_log: Path
    """A line of JSON for each request."""


def state_root(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of all instances: SERAI_STATE, else below XDG_STATE_HOME, else ~/.local/state."""
    if named := environ.get("SERAI_STATE"):
        return Path(named).expanduser().absolute()
    if (xdg := environ.get("XDG_STATE_HOME")) and Path(xdg).is_absolute():
        return Path(xdg) / "serai"
    return Path(environ.get("HOME") or "~").expanduser() / ".local" / "state" / "serai"


def instance_name(paths: Iterable[Path | str]) -> str:
    """A short name for a set of PATHs, whatever their order and however they are written."""
    resolved = sorted({str(Path(path).resolve()) for path in paths})
    return hashlib.sha256("\0".join(resolved).encode()).hexdigest()[:12]


class Instance:
    """An instance's folder, owned by this process until `release` or its death."""

    def __init__(self, folder: Path, lock: int) -> None:
        """Use `claim`.  OSError if the folder can't be used."""
        self.folder = folder
        self.xds_socket = _socket_path(folder)
        """Where the xDS server listens; the same in every run, so that Envoys find us again."""
        self.rate_limits_socket = self.xds_socket.with_suffix(".rate")
        """Likewise Serai's own rate limit service; as long a name, since that is limited."""
        self.vips = folder / "vips"
        """Which VIPs were handed out; outlives every run, so that services keep theirs."""
        self.keys = folder / "keys"
        """Keys of issuers of tokens, likewise: an issuer may be down when we come back."""
        self._lock = lock
        (folder / "logs").mkdir(mode=PRIVATE, exist_ok=True)

    def files(self, gateway: str, token: str | None = None) -> EnvoyFiles:
        """Where an Envoy's files go; without a token, those of a new one."""
        token = token or f"{_slug(gateway)}.{secrets.token_hex(3)}"
        return EnvoyFiles(
            record=self.folder / f"{token}.json",
            bootstrap=self.folder / f"{token}.bootstrap.json",
            admin=self.folder / f"{token}.admin",
            log=self.folder / "logs" / f"{_slug(gateway)}.log",
            access_log=self.folder / "logs" / f"{_slug(gateway)}.access.log",
        )

    def records(self) -> tuple[EnvoyRecord, ...]:
        """Every Envoy on record, running or not.  What can't be read is no record."""
        found = []
        for path in sorted(self.folder.glob("*.json")):
            with contextlib.suppress(OSError, msgspec.DecodeError):
                found.append(msgspec.json.decode(path.read_bytes(), type=EnvoyRecord))
        return tuple(found)

    def write(self, record: EnvoyRecord) -> None:
        """Put a record on disk, whole or not at all."""
        write_atomically(
            self.files(record.gateway, record.token).record, msgspec.json.encode(record)
        )

    def forget(self, token: str) -> None:
        """Remove an Envoy's record and its other files, the log excepted."""
        for suffix in (".json", ".bootstrap.json", ".admin"):
            (self.folder / f"{token}{suffix}").unlink(missing_ok=True)

    def release(self, *, keep_logs: bool = False) -> None:
        """Give the folder up; it goes away if no Envoy is on record and nothing is to be kept."""
        if not self.records():
            self.xds_socket.unlink(missing_ok=True)
            for path in self.folder.iterdir():
                if path.is_dir() and not keep_logs and path != self.keys:
                    shutil.rmtree(path, ignore_errors=True)
                elif not path.is_dir() and path != self.vips:
                    path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                self.folder.rmdir()
        os.close(self._lock)


def claim(root: Path, paths: Iterable[Path | str]) -> Instance | Problem:
    """Own the folder of these PATHs; a Problem if another process does, or it can't be made."""
    shown = sorted({str(Path(path).resolve()) for path in paths})
    folder = root / instance_name(shown)
    instance = claim_folder(folder, create=True)
    if isinstance(instance, Instance):
        try:
            write_atomically(folder / "paths", "\n".join(shown).encode())
        except OSError as error:
            instance.release()
            return _unusable(folder, error)
    return instance


def claim_folder(folder: Path, *, create: bool = False) -> Instance | Problem:
    """Own an instance's folder by its name."""
    try:
        for _ in range(CLAIM_ATTEMPTS):
            if create:
                folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
                folder.chmod(PRIVATE)
            lock = _lock(folder / "lock")
            if isinstance(lock, int):
                return _instance(folder, lock)
            if lock is not None:
                return _owned_by_another(folder, lock)
        raise FileNotFoundError(errno.ENOENT, "another process keeps removing it")
    except OSError as error:
        return _unusable(folder, error)


def instance_folders(root: Path) -> tuple[Path, ...]:
    """The folders under a root that look like instances', owned or not."""
    return tuple(sorted(path.parent for path in root.glob("*/lock")))


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file so that a reader, even after a crash, finds the old content or the new."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _instance(folder: Path, lock: int) -> Instance:
    try:
        return Instance(folder, lock)
    except OSError:
        os.close(lock)
        raise


def _lock(path: Path) -> int | str | None:
    """A descriptor that holds the lock, or who holds it as written there, or None: try again."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(descriptor, 32).decode(errors="replace").strip()
        os.close(descriptor)
        return owner
    except OSError:
        os.close(descriptor)
        raise
    # The last owner may have removed the folder between our opening and locking.
    with contextlib.suppress(OSError):
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            return descriptor
    os.close(descriptor)
    return None


def _owned_by_another(folder: Path, owner: str) -> Problem:
    paths = ""
    with contextlib.suppress(OSError):
        paths = ", ".join((folder / "paths").read_text(encoding="utf-8").splitlines())
    message = (
        f"Another `serai run` (pid {owner or 'unknown'}) already serves"
        f" {paths or 'the same paths'}, and is left alone."
    )
    remedy = f"Use that one, or end it first: `kill {owner}`." if owner else "End that one first."
    return Problem("SER0905", "error", message, remedy, place=Place(str(folder)))


def _unusable(folder: Path, error: OSError) -> Problem:
    message = (
        f"The state folder {folder} can't be used: {error.strerror or error};"
        " without it running Envoys could not be found again, so none is started."
    )
    remedy = "Make it writable, or set SERAI_STATE to a folder on a local disk that is."
    return Problem("SER0906", "error", message, remedy, place=Place(str(folder)))


def _slug(gateway: str) -> str:
    """A file name for a Gateway: readable, and different for different ones."""
    readable = re.sub(r"[^A-Za-z0-9-]+", "-", gateway).strip("-")[:40] or "gateway"
    return f"{readable}-{hashlib.sha256(gateway.encode()).hexdigest()[:6]}"


def _socket_path(folder: Path) -> Path:
    path = folder / "xds.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES:
        return path
    return _short_folder() / f"{folder.name}.sock"


def _short_folder() -> Path:
    """A private folder with a short name.  OSError if someone else has made it before us."""
    folder = Path(tempfile.gettempdir()) / f"serai-{os.getuid()}"
    if len(os.fsencode(folder)) + len("/0123456789ab.sock") > SOCKET_PATH_BYTES:
        folder = Path("/tmp") / folder.name  # noqa: S108
    folder.mkdir(mode=PRIVATE, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(errno.EPERM, "not a private folder of this user", str(folder))
    return folder
