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
        yield ports.conflict(listener)


def added_to(own: Sequence[Listener], added: Sequence[Listener]) -> Iterator[str]:
    """For each listener that ListenerSets add, in their order, why it is out.

    Here the earlier wins.  A Gateway's own come first, also those that conflict among themselves:
    a mistake there must not hand their host to a ListenerSet.
    """
    ports = _Ports(own)
    for listener in added:
        reason = ports.conflict(listener)
        if not reason:
            ports.add(listener)
        yield reason


class _Ports:
    """Listeners by what they bind, and there by what they are told apart by.

    Of those that are alike the first two are enough: one of them is not the one that asks.
    """

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._count = 0
        self._protocols: dict[tuple[bool, int], dict[str, None]] = {}
        self._alike: dict[tuple[object, ...], list[tuple[int, Listener]]] = {}
        for listener in listeners:
            self.add(listener)

    def add(self, listener: Listener) -> None:
        self._count += 1
        self._protocols.setdefault(_socket(listener), {})[listener.protocol] = None
        protocol = (*_socket(listener), listener.protocol)
        for group in (protocol, (*protocol, _host(listener))):
            alike = self._alike.setdefault(group, [])
            if len(alike) < 2:  # noqa: PLR2004
                alike.append((self._count, listener))

    def conflict(self, listener: Listener) -> str:
        """Why it is out, by the first listener that it cannot be told apart from; mostly empty."""
        found = [
            (position, reason)
            for protocol in self._protocols.get(_socket(listener), ())
            for group, reason in _indistinct(listener, protocol)
            for position, other in self._alike.get((*_socket(listener), *group), ())
            if other is not listener
        ]
        return min(found, default=(0, ""))[1]


def _socket(listener: Listener) -> tuple[bool, int]:
    return listener.protocol == "UDP", listener.port


def _indistinct(listener: Listener, protocol: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """The listeners of a protocol that one cannot be told apart from: all, or those of its host."""
    if protocol == listener.protocol:
        yield (protocol, _host(listener)), HOSTNAME
    elif {protocol, listener.protocol} <= _TOLD_BY_SNI:
        yield (protocol, _host(listener)), PROTOCOL
    else:
        yield (protocol,), PROTOCOL


def _host(listener: Listener) -> str:
    """TCP and UDP have no hosts, so that any two of them are indistinct."""
    return (listener.hostname or "").lower() if listener.protocol not in {"TCP", "UDP"} else ""
