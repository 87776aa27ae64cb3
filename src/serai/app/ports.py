"""Listeners are held back while another process has their port.

Envoy's sockets share ports with other Envoys of the same user without a word (SO_REUSEPORT), so
that half of the requests would go elsewhere; and a bind that fails is not tried again.  That other
process may be the Envoy of another Gateway of ours, which asks for the same address.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Iterable, Mapping

import msgspec

from serai.api.meta import Key
from serai.api.problem import Problem
from serai.envoy.listening import PORT_IN_USE, overlap, port_in_use, who_listens
from serai.ir.listener import Listener
from serai.model.addresses import with_port
from serai.xds.refusals import Refusal
from serai.xds.resource import Resource, ResourceKey, ResourceType

MOST_RETRIES = 5
"""Of a listener that Envoy cannot bind although we can."""

Socket = tuple[str, int]
_ANYWHERE = ("0.0.0.0", "::")  # noqa: S104  # compared with, not bound
Find = Callable[[Key, ResourceKey], Listener | None]


class Held(msgspec.Struct, frozen=True):
    """A listener that waits for its port."""

    resource: Resource
    problem: Problem


class _Claim(msgspec.Struct, frozen=True):
    """What a listener that was let through binds."""

    sockets: tuple[Socket, ...]
    udp: bool


class _Bound:
    """What the listeners of all proxies bind that were let through."""

    def __init__(self) -> None:
        self._claims: dict[tuple[Key, ResourceKey], _Claim] = {}
        # By address, as a waypoint may bind thousands of VIPs on one port.
        self._holders: dict[tuple[int, bool], dict[str, Key]] = {}

    def has(self, proxy: Key, key: ResourceKey, claim: _Claim) -> bool:
        """Whether a listener was let through for just this."""
        return self._claims.get((proxy, key)) == claim

    def add(self, proxy: Key, key: ResourceKey, claim: _Claim) -> None:
        """One more is let through."""
        self.discard(proxy, key)
        self._claims[proxy, key] = claim
        for address, port in claim.sockets:
            self._holders.setdefault((port, claim.udp), {})[address] = proxy

    def discard(self, proxy: Key, key: ResourceKey) -> None:
        """It binds nothing any more."""
        claim = self._claims.pop((proxy, key), None)
        if claim is None:
            return
        for address, port in claim.sockets:
            holders = self._holders[port, claim.udp]
            if holders.get(address) == proxy:
                del holders[address]

    def other(self, proxy: Key, address: str, port: int, *, udp: bool) -> Key | None:
        """The Gateway whose Envoy has a port, if it is another's."""
        holders = self._holders.get((port, udp), {})
        near = holders if address in _ANYWHERE else (address, *_ANYWHERE)
        found = (
            holders[each]
            for each in near
            if each in holders and holders[each] != proxy and overlap(each, address)
        )
        return next(found, None)


class PortGate:
    """Lets a proxy's listeners through once their ports are free, or its own Envoy's."""

    def __init__(self, own_pids: Callable[[], frozenset[int]]) -> None:
        self._own_pids = own_pids
        self.held: dict[tuple[Key, ResourceKey], Held] = {}
        self._passed = _Bound()
        self._retries: dict[tuple[Key, ResourceKey], int] = {}

    def let_go(self, proxy: Key, changes: Iterable[ResourceKey], find: Find) -> None:
        """Forget what listeners of a proxy have bound that have gone, or bind something else now.

        For all proxies before any is filtered, so that what one gives up another can have.
        """
        for key in changes:
            if key.type is not ResourceType.LISTENER:
                continue
            listener = find(proxy, key)
            if listener is None or not self._passed.has(proxy, key, _claim(listener)):
                self._passed.discard(proxy, key)

    async def filter(
        self, proxy: Key, changes: Mapping[ResourceKey, Resource | None], find: Find
    ) -> dict[ResourceKey, Resource | None]:
        """The changes without listeners whose port is taken; those are held from now on."""
        passing: dict[ResourceKey, Resource | None] = {}
        for key, resource in changes.items():
            if key.type is not ResourceType.LISTENER:
                passing[key] = resource
                continue
            self.held.pop((proxy, key), None)
            listener = find(proxy, key) if resource is not None else None
            problem = await self._problem(proxy, key, listener) if listener else None
            if resource is not None and problem is not None:
                self.held[proxy, key] = Held(resource, problem)
            else:
                passing[key] = resource
        return passing

    async def hold(
        self, proxy: Key, refused: Mapping[ResourceKey, Resource | None], find: Find
    ) -> list[ResourceKey]:
        """Which of these are held from now on: Envoy could not bind them after all.

        Somebody was faster than Envoy.  Who has let go of the port again is not known, so that
        such a listener is tried again, but not for ever.
        """
        held = []
        for key, resource in refused.items():
            listener = find(proxy, key)
            if resource is None or listener is None:
                continue
            self._passed.discard(proxy, key)
            problem = await self._problem(proxy, key, listener)
            self._passed.discard(proxy, key)
            if problem is None:
                self._retries[proxy, key] = self._retries.get((proxy, key), 0) + 1
                if self._retries[proxy, key] > MOST_RETRIES:
                    continue
                first = _claim(listener).sockets[0]
                problem = port_in_use(*first, None, str(proxy), udp=listener.udp)
            self.held[proxy, key] = Held(resource, problem)
            held.append(key)
        return held

    async def released(self, find: Find) -> list[tuple[Key, ResourceKey, Resource]]:
        """Held listeners whose ports have become free."""
        free = []
        for (proxy, key), held in list(self.held.items()):
            listener = find(proxy, key)
            if listener is None or await self._problem(proxy, key, listener) is None:
                del self.held[proxy, key]
                free.append((proxy, key, held.resource))
        return free

    def refusals(self, proxy: Key) -> dict[ResourceKey, Refusal]:
        """What of a proxy is held back, as it is put on the objects it came from."""
        return {
            key: Refusal(
                key,
                each.problem.message,
                each.resource.origins,
                code=each.problem.code,
                remedy=each.problem.remedy,
            )
            for (other, key), each in self.held.items()
            if other == proxy
        }

    async def _problem(self, proxy: Key, key: ResourceKey, listener: Listener) -> Problem | None:
        claim = _claim(listener)
        if self._passed.has(proxy, key, claim):
            return None
        for address, port in claim.sockets:
            other = self._passed.other(proxy, address, port, udp=listener.udp)
            if other is not None:
                return _anothers(address, port, other, proxy)
            refusal = _try(address, port, udp=listener.udp)
            if refusal is None:
                continue
            if refusal.errno == errno.EACCES:
                return _not_allowed(address, port, proxy)
            holder = await asyncio.to_thread(who_listens, address, port, udp=listener.udp)
            if holder is None or holder.pid not in self._own_pids():
                return port_in_use(address, port, holder, str(proxy), udp=listener.udp)
        self._passed.add(proxy, key, claim)
        return None


def is_bindable(address: str) -> bool:
    """Whether this machine has an address, so that it can be listened on."""
    refusal = _try(address, 0)
    return refusal is None or refusal.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


def _claim(listener: Listener) -> _Claim:
    sockets = tuple((address, listener.port) for address in listener.addresses)
    return _Claim(sockets, listener.udp)


def _try(address: str, port: int, *, udp: bool = False) -> OSError | None:
    """Bind a port and let it go again; why it could not be bound, if so."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM) as probe:
        if not udp:  # of datagrams it would let two have one port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return error
    return None


def _anothers(address: str, port: int, other: Key, proxy: Key) -> Problem:
    taken = with_port(address, port)
    return Problem(
        code=PORT_IN_USE,
        severity="error",
        message=f"Port {taken} is taken by {other}; {proxy} can't listen there.",
        remedy="Use another port, or another address in spec.addresses.",
        key=proxy,
    )


def _not_allowed(address: str, port: int, proxy: Key) -> Problem:
    return Problem(
        code="SER0907",
        severity="error",
        message=f"Port {port} of {address} needs privileges that this user does not have;"
        f" {proxy} can't listen there.",
        remedy="Use a port from 1024 up, or allow it:"
        " `sudo sysctl net.ipv4.ip_unprivileged_port_start=0`.",
        key=proxy,
    )
