"""A range of addresses, and how far it has been handed out."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network


class Pool:
    """Hands out the addresses of a range in turn, from the second on as Istio does.

    One that was given back comes round again only after all others, since clients may still hold
    it.  Which ones are in use is the caller's to know.
    """

    def __init__(self, cidr: str, last: str = "") -> None:
        """`last` is what was handed out last in an earlier life; empty to begin at the start."""
        self._network = ip_network(cidr)
        self.cidr = str(self._network)
        self.version = self._network.version
        self._first = int(self._network.network_address) + (self._network.num_addresses > 1)
        self._end = int(self._network.broadcast_address)
        self._last = self._resumed(last)
        self._exhausted = False
        self._ranges: dict[int, dict[int, int]] = {}
        """How often each range that users wrote is written, by host bits and first address."""

    @property
    def last(self) -> str:
        """What was handed out last; empty if nothing was."""
        return self._text(self._last) if self._last >= self._first else ""

    def __contains__(self, address: str) -> bool:
        return ip_address(address) in self._network

    def take(self, is_taken: Callable[[str], bool]) -> str | None:
        """The next free address, or None where there is none."""
        if self._exhausted:
            return None
        for start, end in ((self._last + 1, self._end), (self._first, self._last)):
            found = self._free(start, end, is_taken)
            if found is not None:
                self._last = found
                return self._text(found)
        self._exhausted = True
        return None

    def given_back(self) -> None:
        """Note that an address, of this range or not, is free again."""
        self._exhausted = False

    def holds(self, cidr: str) -> bool:
        """Whether a range lies in this one and is smaller.

        One that holds the whole of ours, such as 0.0.0.0/0, claims none of it in particular.
        """
        network = ip_network(cidr)
        smaller = network.version == self.version and network.prefixlen > self._network.prefixlen
        return smaller and network.network_address in self._network

    def write(self, cidr: str) -> None:
        """Leave out a range that a user wrote, which must lie here."""
        bits, first = _written(cidr)
        starts = self._ranges.setdefault(bits, {})
        starts[first] = starts.get(first, 0) + 1

    def unwrite(self, cidr: str) -> None:
        """Undo one `write`."""
        bits, first = _written(cidr)
        starts = self._ranges[bits]
        starts[first] -= 1
        if not starts[first]:
            del starts[first]
        if not starts:
            del self._ranges[bits]
        self._exhausted = False

    def is_written(self, address: str) -> bool:
        """Whether an address lies in a range that a user wrote."""
        number = int(ip_address(address))
        return address in self and self._end_of_written(number) is not None

    def _free(self, start: int, end: int, is_taken: Callable[[str], bool]) -> int | None:
        at = start
        while at <= end:
            beyond = self._end_of_written(at)
            if beyond is None and not is_taken(self._text(at)):
                return at
            at = (at if beyond is None else beyond) + 1
        return None

    def _end_of_written(self, number: int) -> int | None:
        ends = (
            start | ((1 << bits) - 1)
            for bits, starts in self._ranges.items()
            if (start := number >> bits << bits) in starts
        )
        return max(ends, default=None)

    def _text(self, number: int) -> str:
        return str(IPv4Address(number) if self.version == 4 else IPv6Address(number))  # noqa: PLR2004

    def _resumed(self, last: str) -> int:
        try:
            address = ip_address(last)
        except ValueError:
            return self._first - 1
        return int(address) if address in self._network else self._first - 1


def _written(cidr: str) -> tuple[int, int]:
    network = ip_network(cidr)
    return network.max_prefixlen - network.prefixlen, int(network.network_address)
