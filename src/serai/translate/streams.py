"""What TLSRoutes, TCPRoutes and UDPRoutes make of the listeners they attach to."""

from __future__ import annotations

from serai.attach.listeners import ListenerState
from serai.incremental import Reader
from serai.ir.listener import TcpForward
from serai.ir.origin import Origin, Value
from serai.translate.collections import Attached


class Stream(Value, frozen=True):
    """Connections that reach a listener, and where their bytes go."""

    hostname: str
    """Which of them: those whose SNI is covered by this pattern; `*` where there is no SNI."""
    forward: TcpForward
    origin: Origin
    """The route that decides it."""


def streams(reader: Reader, attached: Attached, state: ListenerState) -> tuple[Stream, ...]:
    """The streams of a listener of protocol TLS, TCP or UDP, each hostname once.

    What none of them covers is closed.
    """
    del reader, attached, state
    return ()
