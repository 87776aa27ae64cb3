"""HTTPS listeners whose hosts or certificates overlap.

A client may reuse a connection to one of them for the other.  Gateway API: OverlappingTLSConfig
(GEP-3567).
"""

from __future__ import annotations

from serai.api.meta import Key
from serai.attach.hostnames import intersection
from serai.attach.listeners import ListenerKey, ListenerState
from serai.attach.verdict import Verdict
from serai.incremental import Reader
from serai.model.hosts import patterns
from serai.translate.collections import Attached


class Overlaps:
    """Of the listeners of one Gateway, found by their hosts, since there may be thousands."""

    def __init__(self, reader: Reader, attached: Attached, gateway: Key) -> None:
        self._reader, self._attached, self._gateway = reader, attached, gateway
        self._found: dict[int, _Port] | None = None
        """By number; looked at for the first listener that can overlap with any."""

    def of(self, state: ListenerState) -> Verdict | None:
        """With which other listener of its port a listener overlaps; None if with none.

        Certificates count before host names.
        """
        if not _is_https(state):
            return None
        if self._found is None:
            self._found = self._ports()
        return self._found[state.listener.port].overlap(state)

    def _ports(self) -> dict[int, _Port]:
        reader, attached, ports = self._reader, self._attached, dict[int, _Port]()
        for _, state in reader.rows(attached.of_proxy, self._gateway, attached.listeners):
            if _is_https(state):
                port = ports.setdefault(state.listener.port, _Port())
                port.add(state, _names(reader, attached, state))
        return ports


class _Port:
    def __init__(self) -> None:
        self._states: list[tuple[ListenerState, tuple[str, ...]]] = []
        self._places: dict[ListenerKey, int] = {}
        self._hosts = Patterns()
        self._shown = Patterns()

    def add(self, state: ListenerState, names: tuple[str, ...]) -> None:
        place = self._places[state.key] = len(self._states)
        self._states.append((state, names))
        self._hosts.add(state.hostname, place)
        for name in names:
            self._shown.add(name, place)

    def overlap(self, state: ListenerState) -> Verdict | None:
        own = self._places[state.key]
        mine = self._states[own][1]
        places = [self._hosts.first(name, own) for name in mine]
        places.append(self._shown.first(state.hostname, own))
        if (place := min((each for each in places if each is not None), default=None)) is not None:
            other, theirs = self._states[place]
            shared = _shared(mine, other.hostname) or _shared(theirs, state.hostname)
            message = f"a certificate for {shared} covers hosts of listener {other.key.name} too"
            return Verdict(ok=True, reason="OverlappingCertificates", message=message)
        if (place := self._hosts.first(state.hostname, own)) is not None:
            other = self._states[place][0]
            both = intersection(state.hostname, other.hostname)
            message = f"hosts of {both} are also those of listener {other.key.name}"
            return Verdict(ok=True, reason="OverlappingHostnames", message=message)
        return None


class Patterns:
    """Host names and wildcards at places, and which is the first that has hosts of another."""

    def __init__(self) -> None:
        self._at: dict[str, list[int]] = {}
        self._below: dict[str, list[int]] = {}

    def add(self, pattern: str, place: int) -> None:
        """Note a pattern; places come in order."""
        _note(self._at, pattern, place)
        for wider in patterns(pattern):
            _note(self._below, wider, place)

    def first(self, pattern: str, but: int) -> int | None:
        """The first place, but for one, of a pattern that has hosts of this one."""
        found = [*self._below.get(pattern, ())]
        for wider in patterns(pattern):
            found += self._at.get(wider, ())
        return min((place for place in found if place != but), default=None)


def _note(places: dict[str, list[int]], pattern: str, place: int) -> None:
    """The first two are enough: one of them is not that which is left out."""
    found = places.setdefault(pattern, [])
    if len(found) < 2 and place not in found:  # noqa: PLR2004
        found.append(place)


def _is_https(state: ListenerState) -> bool:
    return state.listener.protocol == "HTTPS" and state.served


def _names(reader: Reader, attached: Attached, state: ListenerState) -> tuple[str, ...]:
    found = state.tls.certificates if state.tls else ()
    pairs = (reader.get(attached.certificates.pairs, each) for each in found)
    return tuple(name for pair in pairs if pair for name in pair.names)


def _shared(names: tuple[str, ...], hostname: str) -> str:
    return next((name for name in names if intersection(name, hostname)), "")
