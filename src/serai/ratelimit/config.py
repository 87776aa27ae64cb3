"""Limits from files: read, watched, and kept as they were while what is written is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

import structlog
from watchfiles import awatch

from serai.api.rate_limit_config import Domain, Wrong, parse, parse_json

log = structlog.get_logger(__name__)

SUFFIXES = frozenset({".yaml", ".yml", ".json"})
QUIET_MILLISECONDS = 50
LOOK_SECONDS = 5.0
"""Between looks at what cannot be watched, or is changed without a word."""


class UnusableError(Exception):
    """Why files have no limits, as a sentence that names the file."""


Found = tuple[Domain, ...] | UnusableError
"""What is to be in force, or why what is written cannot be."""


def read(paths: Iterable[Path]) -> tuple[Domain, ...]:
    """The domains in files, and in the files of folders.  Raises UnusableError."""
    found: dict[str, tuple[Path, Domain]] = {}
    for path in _files(paths):
        try:
            content = path.read_bytes()
            is_json = path.suffix == ".json"
            domains = parse_json(content) if is_json else parse(content.decode())
        except (OSError, ValueError) as error:
            raise UnusableError(f"{path}: {error}") from error
        if isinstance(domains, Wrong):
            raise UnusableError(f"{path}: {domains.path} {domains.message}".replace(":  ", ": "))
        for each in domains:
            if each.domain in found:
                other = found[each.domain][0]
                raise UnusableError(f"{path}: domain {each.domain} is in {other} too")
            found[each.domain] = (path, each)
    return tuple(domain for _, domain in found.values())


async def changes(paths: Iterable[Path]) -> AsyncIterator[Found]:
    """What the files have now, and then whenever that is something else."""
    watched = tuple(paths)
    last: tuple[Domain, ...] | str | None = None
    async for _ in _beats(watched):
        try:
            found: Found = await asyncio.to_thread(read, watched)
        except UnusableError as error:
            found = error
        now = str(found) if isinstance(found, UnusableError) else found
        if now != last:
            last = now
            yield found


async def _beats(paths: tuple[Path, ...]) -> AsyncIterator[None]:
    """Now, after each change, and now and then."""
    yield
    # The folder around a file is watched, since a file is replaced rather than written.
    folders = {path if path.is_dir() else path.parent for path in paths}
    while True:
        try:
            async for _ in awatch(
                *folders,
                step=QUIET_MILLISECONDS,
                rust_timeout=int(LOOK_SECONDS * 1000),
                yield_on_timeout=True,
            ):
                yield
        except (OSError, RuntimeError) as error:
            log.warning("ratelimit.not_watched", error=str(error))
            await asyncio.sleep(LOOK_SECONDS)
            yield


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for each in sorted(path.rglob("*")):
            hidden = any(part.startswith(".") for part in each.relative_to(path).parts)
            if each.suffix in SUFFIXES and not hidden and each.is_file():
                yield each
