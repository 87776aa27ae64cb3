"""The kinds of changes that are made, and how each shows in an answer."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Literal, NamedTuple, get_args

from bench import worlds
from bench.worlds import Manifest, Ports

Kind = Literal["endpoint", "route", "policy", "add", "remove"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SPREAD = 16
"""Services that changes of one kind are spread over, one after the other."""


class Change(NamedTuple):
    """What an API server tells, and what is seen of it."""

    kind: Kind
    number: int
    """Of the service."""
    told: tuple[Manifest, ...]
    gone: tuple[Manifest, ...]
    shows: str
    """What answers show once it is in force."""
    before: str
    """What they show until then; all others are failures."""
    fresh: bool = False
    """Whether it is looked for by new connections."""


class Changing:
    """Makes changes to a world, each of which makes a difference."""

    def __init__(self, size: int, ports: Ports) -> None:
        self._size, self._ports = size, ports
        self._groups: dict[int, int] = {}
        """Of each service whose endpoints have changed: which it has."""
        self._serial = count(1)

    def have(self, services: Iterable[int], group: int) -> None:
        """Somebody else has changed the endpoints of these."""
        self._groups.update(dict.fromkeys(services, group))

    def change(self, kind: Kind, run: int) -> Change:
        """The change of one run.  Every other one is of a Service, the rest of a ServiceEntry."""
        one = KINDS.index(kind) * SPREAD + run % SPREAD
        said = f"{next(self._serial)}-th"
        match kind:
            case "endpoint":
                return self._endpoint(one)
            case "route":
                shows = f"x-route: {said}\r\n"
                return Change(kind, one, (worlds.route(one, said),), (), shows, "HTTP/1.1 200")
            case "policy":
                shows = f"x-policy: {said}\r\n"
                return Change(kind, one, (worlds.policy(one, said),), (), shows, "HTTP/1.1 200")
        new = self._size + run
        objects = tuple(worlds.service(new, self._ports.endpoints))
        if kind == "add":
            return Change(kind, new, objects, (), "HTTP/1.1 200", "HTTP/1.1 404", fresh=True)
        return Change(kind, new, (), objects, "HTTP/1.1 404", "HTTP/1.1 200", fresh=True)

    def _endpoint(self, number: int) -> Change:
        group = 3 - self._groups.get(number, 1)
        self._groups[number] = group
        told = (worlds.endpoints_of(number, self._ports.endpoints, group),)
        return Change("endpoint", number, told, (), f"\r\n127.99.{group}.", "\r\n127.99.")


def in_turn(runs: int) -> list[tuple[Kind, int]]:
    """Kinds and runs in the order in which they are made: what is added is removed next."""
    found: list[tuple[Kind, int]] = []
    for kind in KINDS[:3]:
        found += ((kind, run) for run in range(runs))
    for run in range(runs):
        found += (("add", run), ("remove", run))
    return found
