"""Keys of issuers of tokens, fetched and kept fresh.

What is fetched is what users wrote down, so it is looked at hard: nobody is sent to our own places
or to those of the machine, nothing is followed, answers are small and in time, and nothing of them
goes anywhere but the public keys in them.  Keys that were fetched stay until there are others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from serai.model.key_sets import Fetched
from serai.model.settings import Settings
from serai.policies.tokens.keys import NoKeys, key_set
from serai.policies.tokens.requirement import KeySource, digest
from serai.sources.key_set_request import Unfetched, fetched_text
from serai.translate.tokens import Fetch

log = structlog.get_logger(__name__)

Tell = Callable[[KeySource, Fetched | None], None]
"""Told what became of fetching from somewhere; None: nobody wants it any more."""


class KeySetSource:
    """Fetches what is wanted, each key set by itself, again and again."""

    def __init__(self, settings: Settings, tell: Tell, folder: Path | None = None) -> None:
        """`folder` keeps the keys over restarts, since an issuer may be down when we come back."""
        self._settings = settings
        self._tell = tell
        self._folder = folder
        self._wanted: dict[KeySource, Fetch] = {}
        self._held: dict[KeySource, Fetched] = {}
        self._tasks: dict[KeySource, asyncio.Task[None]] = {}
        self._moved: dict[KeySource, asyncio.Event] = {}
        self._untried: set[KeySource] = set()
        self._all_tried = asyncio.Event()

    def want(self, changes: Mapping[KeySource, Fetch | None]) -> None:
        """What is to be fetched from now on, and what no more (None)."""
        for source, fetch in changes.items():
            if fetch is None:
                self._leave(source)
                continue
            self._wanted[source] = fetch
            if source in self._tasks:
                self._moved[source].set()
                continue
            self._untried.add(source)
            self._all_tried.clear()
            self._moved[source] = asyncio.Event()
            self._tasks[source] = asyncio.get_running_loop().create_task(self._keep(source))

    async def tried(self, seconds: float) -> None:
        """Return when all that is wanted was tried once, or after so many seconds."""
        if self._untried:
            try:
                await asyncio.wait_for(self._all_tried.wait(), seconds)
            except TimeoutError:
                log.warning("keys.late", sources=[each.url for each in self._untried])

    async def stop(self) -> None:
        """Fetch nothing more."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()

    def _leave(self, source: KeySource) -> None:
        self._wanted.pop(source, None)
        self._held.pop(source, None)
        self._moved.pop(source, None)
        self._has_tried(source)
        task = self._tasks.pop(source, None)
        if task is not None:
            task.cancel()
            self._tell(source, None)

    async def _keep(self, source: KeySource) -> None:
        self._remember(source)
        failures = 0
        while True:
            moved = self._moved[source]
            moved.clear()
            failure = await self._fetch(source)
            self._has_tried(source)
            failures = failures + 1 if failure else 0
            usual = source.refresh_seconds or self._settings.jwks_refresh_seconds
            delay = _retry(source, failures) if failure else usual
            try:
                # Where it is changed, or its endpoints did: what failed there may work here.
                await asyncio.wait_for(moved.wait(), delay)
            except TimeoutError:
                continue

    async def _fetch(self, source: KeySource) -> str:
        """Fetch once, and tell; why it failed, or nothing."""
        before = self._held.get(source, Fetched())
        try:
            text = await fetched_text(self._wanted[source], self._settings)
            found: str | NoKeys = await asyncio.to_thread(key_set, text)
        except Unfetched as error:
            found = NoKeys(str(error))
        if isinstance(found, NoKeys):
            self._take(source, Fetched(before.keys, found.why))
            if before.failure != found.why:
                log.warning("keys.not_fetched", url=source.url, error=found.why)
            return found.why
        if found != before.keys:
            log.info("keys.fetched", url=source.url)
            self._write(source, found)
        self._take(source, Fetched(found))
        return ""

    def _take(self, source: KeySource, found: Fetched) -> None:
        if self._held.get(source) != found:
            self._held[source] = found
            self._tell(source, found)

    def _has_tried(self, source: KeySource) -> None:
        self._untried.discard(source)
        if not self._untried:
            self._all_tried.set()

    def _path(self, source: KeySource) -> Path | None:
        return self._folder / f"{digest(source)}.json" if self._folder else None

    def _remember(self, source: KeySource) -> None:
        path = self._path(source)
        try:
            found = key_set(path.read_text()) if path and path.exists() else None
        except (OSError, UnicodeError):
            return
        if isinstance(found, str):
            self._take(source, Fetched(found))

    def _write(self, source: KeySource, keys: str) -> None:
        path = self._path(source)
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(".tmp")
            draft.write_text(keys)
            draft.replace(path)
        except OSError as error:
            log.warning("keys.not_kept", url=source.url, error=str(error))


def _retry(source: KeySource, failures: int) -> float:
    """Twice as long after each failure."""
    doubled = source.retry_seconds * 2.0 ** min(failures - 1, 20)
    return min(doubled, source.longest_retry_seconds)
