"""Which listeners of one proxy cannot be told apart.  Gateway API: distinct listeners."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from serai.api.gateway import Listener

HOSTNAME = "HostnameConflict"
PROTOCOL = "ProtocolConflict"

_TOLD_BY_SNI = frozenset({"HTTPS", "TLS"})


def within_gateway(listeners: Sequence[Listener]) -> Iterator[str]:
    """For each listener of a Gateway, why it is out; empty if it is not.

    No winner is picked: all that conflict are out.
    """
    ports = _Ports(listeners)
    for listener in listeners:
        found = (_conflict(listener, other) for other in ports.beside(listener))
        yield next((reason for reason in found if reason), "")


def added_to(own: Sequence[Listener], added: Sequence[Listener]) -> Iterator[str]:
    """For each listener that ListenerSets add, in their order, why it is out.

    Here the earlier wins.  A Gateway's own come first, also those that conflict among themselves:
    a mistake there must not hand their host to a ListenerSet.
    """
    ports = _Ports(own)
    for listener in added:
        found = (_conflict(listener, other) for other in ports.beside(listener))
        reason = next((reason for reason in found if reason), "")
        if not reason:
            ports.add(listener)
        yield reason


class _Ports:
    """Listeners by what they bind."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._bound: dict[tuple[bool, int], list[Listener]] = {}
        for listener in listeners:
            self.add(listener)

    def add(self, listener: Listener) -> None:
        self._bound.setdefault(_socket(listener), []).append(listener)

    def beside(self, listener: Listener) -> Iterator[Listener]:
        """Those others that share its port."""
        for other in self._bound.get(_socket(listener), ()):
            if other is not listener:
                yield other


def _socket(listener: Listener) -> tuple[bool, int]:
    return listener.protocol == "UDP", listener.port


def _conflict(one: Listener, other: Listener) -> str:
    same_host = _host(one) == _host(other)
    if one.protocol == other.protocol:
        return HOSTNAME if same_host else ""
    if {one.protocol, other.protocol} <= _TOLD_BY_SNI:
        return PROTOCOL if same_host else ""
    return PROTOCOL


def _host(listener: Listener) -> str:
    """TCP and UDP have no hosts, so that any two of them are indistinct."""
    return (listener.hostname or "").lower() if listener.protocol not in {"TCP", "UDP"} else ""
