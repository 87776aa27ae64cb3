"""HTTPS listeners whose hosts or certificates overlap.

A client may reuse a connection to one of them for the other.  Gateway API: OverlappingTLSConfig
(GEP-3567).
"""

from __future__ import annotations

from collections.abc import Iterator

from serai.attach.hostnames import intersection
from serai.attach.listeners import ListenerState
from serai.attach.verdict import Verdict
from serai.incremental import Reader
from serai.translate.collections import Attached


def overlap(reader: Reader, attached: Attached, state: ListenerState) -> Verdict | None:
    """With which other listener of its port a listener overlaps; None if with none.

    Certificates count before host names.
    """
    if not _is_https(state):
        return None
    others = list(_others(reader, attached, state))
    mine = _names(reader, attached, state)
    for other in others:
        theirs = _names(reader, attached, other)
        shared = _shared(mine, other.hostname) or _shared(theirs, state.hostname)
        if shared:
            message = f"a certificate for {shared} covers hosts of listener {other.key.name} too"
            return Verdict(ok=True, reason="OverlappingCertificates", message=message)
    for other in others:
        both = intersection(state.hostname, other.hostname)
        if both:
            message = f"hosts of {both} are also those of listener {other.key.name}"
            return Verdict(ok=True, reason="OverlappingHostnames", message=message)
    return None


def _is_https(state: ListenerState) -> bool:
    return state.listener.protocol == "HTTPS" and state.served


def _others(reader: Reader, attached: Attached, state: ListenerState) -> Iterator[ListenerState]:
    for key, other in reader.rows(attached.of_proxy, state.gateway, attached.listeners):
        if key != state.key and _is_https(other) and other.listener.port == state.listener.port:
            yield other


def _names(reader: Reader, attached: Attached, state: ListenerState) -> tuple[str, ...]:
    found = state.tls.certificates if state.tls else ()
    pairs = (reader.get(attached.certificates.pairs, each) for each in found)
    return tuple(name for pair in pairs if pair for name in pair.names)


def _shared(names: tuple[str, ...], hostname: str) -> str:
    return next((name for name in names if intersection(name, hostname)), "")
