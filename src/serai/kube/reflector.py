"""One kind's list and watch as a conversation without I/O: what to ask next, what an answer means.

Kubernetes: "Efficient detection of changes".  Nothing that happened is lost: after whatever went
wrong, what this has told comes to what a fresh list would say, deletions included.
"""

from __future__ import annotations

from random import Random

import msgspec

from serai.kube.backoff import Backoff
from serai.kube.wire import Event, Failure, Item, Name, Page

PAGE = 500
"""Objects asked for at once."""

WATCH_SECONDS = (240, 300)
"""How long one watch is asked to last, by chance within these, so that not all end together."""

SILENCE_SECONDS = 150.0
"""A watch of which nothing was heard for so long is dead: a server that lives sends a bookmark
every minute."""

MOST_FAILURES = 5
"""Watches in a row that fail before the list is read again, whatever the reason may be."""

BAD_REQUEST = 400
GONE = 410
NOT_FOUND = 404
TIMEOUT = 504


class List(msgspec.Struct, frozen=True):
    """Ask for a page of the list."""

    limit: int = 0
    """0: all at once."""
    token: str = ""


class Watch(msgspec.Struct, frozen=True):
    """Ask for everything after a moment, with bookmarks."""

    version: str
    seconds: int


class Wait(msgspec.Struct, frozen=True):
    """Ask for nothing before this time."""

    until: float


class Look(msgspec.Struct, frozen=True):
    """Ask whether the kind is served at all."""


Step = List | Watch | Wait | Look


class Delta(msgspec.Struct, frozen=True):
    """What has changed, all of it at once.

    An object that was deleted and made again meanwhile is in `put` only.
    """

    put: tuple[Item, ...] = ()
    gone: tuple[Name, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.put or self.gone)


NOTHING = Delta()


class Reflector:
    """Follows one kind.  Of objects only their names and versions are kept.

    Times are seconds of any clock that never goes back.
    """

    def __init__(self, random: Random) -> None:
        self.synced = False
        """Whether everything there is was told once."""
        self.absent = False
        """Whether the kind is not served."""
        self.trouble: Failure | None = None
        """What goes wrong, as long as it does."""
        self.lists = 0
        """How many lists were begun."""
        self._random = random
        self._backoff = Backoff(random)
        self._known: dict[Name, tuple[str, str]] = {}
        self._seen: dict[Name, tuple[str, str]] = {}
        """What the list under way has shown."""
        self._changed: list[Item] = []
        self._token = ""
        self._version = ""
        """Where to go on watching; empty: a list is needed."""
        self._paged = True
        self._until = 0.0
        self._doubtful = False
        """Whether the server says that there is no such kind."""
        self._failures = 0
        self._expiries = 0
        """Moments forgotten there, with nothing heard of a watch in between."""

    def step(self, now: float) -> Step:
        """What to do now."""
        if now < self._until:
            return Wait(self._until)
        if self._doubtful:
            return Look()
        if self._version:
            return Watch(self._version, self._random.randint(*WATCH_SECONDS))
        if not self._token:
            self._seen, self._changed = {}, []
            self.lists += 1
        return List(PAGE if self._paged else 0, self._token)

    def listed(self, page: Page) -> Delta:
        """A page has come.  What it shows is told with the last one, all at once."""
        for item in page.items:
            state = (item.uid, item.version)
            self._seen[item.name] = state
            if self._known.get(item.name) != state:
                self._changed.append(item)
        self._token = page.more
        if page.more:
            return NOTHING
        gone = tuple(name for name in self._known if name not in self._seen)
        delta = Delta(tuple(self._changed), gone)
        self._known, self._seen, self._changed = self._seen, {}, []
        self._version, self._paged = page.version, True
        self.absent = False
        self.synced = True
        self._went_well()
        return delta

    def heard(self, events: list[Event]) -> Delta:
        """Events have come, in this order; of several on one object the last one counts."""
        put: dict[Name, Item] = {}
        gone: dict[Name, None] = {}
        for event in events:
            item = event.item
            self._version = item.version or self._version
            if event.type == "BOOKMARK":
                continue
            if event.type == "DELETED":
                put.pop(item.name, None)
                if self._known.pop(item.name, None):
                    gone[item.name] = None
            elif self._known.get(item.name) != (item.uid, item.version):
                self._known[item.name] = (item.uid, item.version)
                gone.pop(item.name, None)
                put[item.name] = item
        if events:
            self._expiries = 0
            self._went_well()
        return Delta(tuple(put.values()), tuple(gone))

    def watching(self) -> bool:
        """The server has begun to answer a watch; whether that ends what went wrong.

        Of a kind that nobody changes nothing more is heard for a minute.
        """
        was, self.trouble = self.trouble, None
        return was is not None

    def ended(self, now: float, lasted: float) -> None:
        """The watch has ended as it should; after `lasted` seconds."""
        # Servers that end every watch at once must not be asked in a tight loop.
        self._until = now + self._backoff.next() if lasted < 1.0 else now
        if lasted >= 1.0:
            self._expiries = 0
            self._went_well()

    def failed(self, failure: Failure, now: float) -> None:
        """What was asked for last was not given."""
        if failure.status == GONE:
            self._expired(now)
            return
        if failure.status == NOT_FOUND:
            self._doubtful = True
        self.trouble = failure
        self._failures += 1
        self._until = now + max(self._backoff.next(), failure.retry_after)
        # A server that was restored from a backup may not reach our version for a long time.
        if failure.status == TIMEOUT or self._failures >= MOST_FAILURES:
            self._version = ""
        # Nor may it make sense of our token, which says where a list went on that it had.
        if failure.status == BAD_REQUEST or self._failures >= MOST_FAILURES:
            self._token = ""

    def looked(self, now: float, *, served: bool) -> Delta:
        """It was found out whether the kind is served; if not, there is none of it.

        To be asked again after a while, or at once with `wake`.
        """
        self._doubtful = not served
        if served:
            self._version, self._token = "", ""
            return NOTHING
        gone = tuple(self._known)
        self._known, self._version, self._token = {}, "", ""
        self.absent, self.synced, self.trouble = True, True, None
        self._until = now + self._backoff.next()
        return Delta((), gone)

    def wake(self) -> None:
        """Something has changed about which kinds are served: do not wait."""
        if self.absent or self._doubtful:
            self._backoff.reset()
            self._until = 0.0

    def _expired(self, now: float) -> None:
        """The moment we know is forgotten there: read the list again."""
        if self._token:
            # It expired while we read it: ask for all at once, which cannot.
            self._paged = False
        elif not self._version or self._expiries:
            # Where so much changes that it forgets while we read, no list is of any use at once.
            self._until = now + self._backoff.next()
        self._expiries += 1
        self._version, self._token = "", ""

    def _went_well(self) -> None:
        if not self._expiries:
            self._backoff.reset()
        self._failures = 0
        self.trouble = None
