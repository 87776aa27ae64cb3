"""Make before break: what must wait until the client has, or has let go of, something else."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

from serai.xds.ledger import Ledger
from serai.xds.references import SCOPES
from serai.xds.resource import ResourceKey, ResourceType
from serai.xds.uses import Uses
from serai.xds.world import Entry, Resources

WITHHELD_SECONDS: Final = 1.0
"""After this long Envoy is taken to withhold the ACK of clusters, as it does while any warms."""

_NAMED_BY: Final = {
    ResourceType.CLUSTER: (ResourceType.LISTENER, ResourceType.FILTER_CHAIN, ResourceType.ROUTES),
    ResourceType.ENDPOINTS: (ResourceType.CLUSTER,),
    ResourceType.FILTER_CHAIN: (ResourceType.LISTENER,),
    ResourceType.ROUTES: (ResourceType.LISTENER, ResourceType.FILTER_CHAIN, ResourceType.SCOPE),
    ResourceType.SCOPE: (ResourceType.ROUTES,),
    ResourceType.SECRET: (ResourceType.CLUSTER, ResourceType.LISTENER, ResourceType.FILTER_CHAIN),
}
"""Which types name a type.  The others are removed at once."""


class Order:
    """The rules of one conversation, over its ledgers and what the proxy should have.

    A route to a cluster that isn't there, or that still warms, answers 503.  So what names a
    cluster waits until the cluster is acknowledged: Envoy 1.40 acknowledges clusters only when all
    of them are warm.  Where one cluster keeps it from doing that, the answer to a cluster's
    endpoints stands for it.  A scope or listener that names a route configuration which doesn't
    exist waits for it without limit: Envoy would hold back the whole listener for it.  Routes that
    lead on to other scopes wait for those, and for their routes.  A route
    that names what it requires of tokens waits for the filter that knows it: Envoy answers 403 in
    its place.
    """

    def __init__(self, ledgers: Mapping[ResourceType, Ledger], uses: Uses) -> None:
        self._ledgers = ledgers
        self._uses = uses
        self.warmed: set[str] = set()
        """Names of endpoints acknowledged while an answer about clusters was outstanding."""
        self.withholding = False
        """Whether an answer about clusters is so late that it is not waited for."""
        self.settled_at = -math.inf
        """When a client that came back has had time to say all that it holds."""

    def withheld_at(self) -> float:
        """When the oldest unanswered response about clusters counts as withheld; maybe never."""
        ledger = self._ledgers.get(ResourceType.CLUSTER)
        if ledger is None or not ledger.flights:
            return math.inf
        return next(iter(ledger.flights.values())).sent_at + WITHHELD_SECONDS

    def refresh(self, now: float) -> bool:
        """Sees whether Envoy withholds its answer about clusters; True if it has just begun to."""
        before, at = self.withholding, self.withheld_at()
        self.withholding = at <= now
        if at == math.inf:
            self.warmed.clear()
        return self.withholding and not before

    def blocker(
        self, entry: Entry, world: Resources, *, behind: bool = False
    ) -> ResourceKey | None:
        """Something that the entry names and that must reach the client first.

        `behind`: it stands behind what is to be sent.  A scope does not wait for those to which
        its routes lead on: those routes do.
        """
        if entry.resource.type is ResourceType.CLUSTER:
            return None
        for key in entry.references:
            match key.type:
                case ResourceType.CLUSTER if not self._ready(key.name, world):
                    return key
                case ResourceType.EXTENSION if not self._current(key, world):
                    return key
                case ResourceType.SCOPE if not behind:
                    missing = self._missing(key, world)
                    if missing is not None:
                        return missing
                case ResourceType.ROUTES | ResourceType.FILTER_CHAIN:
                    deeper = self._behind(key, world)
                    if deeper is not None:
                        return deeper
        return None

    def _behind(self, key: ResourceKey, world: Resources) -> ResourceKey | None:
        """What blocks something that is named; a route configuration must also exist."""
        named = world[key.type].get(key.name)
        if named is None:
            return key if key.type is ResourceType.ROUTES else None
        return self.blocker(named, world, behind=True)

    def _missing(self, scope: ResourceKey, world: Resources) -> ResourceKey | None:
        """A scope that the client has not got, or else the routes that it leads to."""
        wanted = world[scope.type].get(scope.name)
        for key in (scope, *(wanted.references if wanted is not None else ())):
            ledger = self._ledgers.get(key.type)
            if ledger is None or wanted is None or key.name in ledger.rejected:
                continue
            if not ledger.subscribed(key.name) and not self._uses.any(SCOPES):
                continue  # Envoy asks for a scope's routes only while something looks scopes up
            if key.name not in ledger.held:
                return key
        return None

    def _ready(self, cluster: str, world: Resources) -> bool:
        ledger = self._ledgers.get(ResourceType.CLUSTER)
        wanted = world[ResourceType.CLUSTER].get(cluster)
        if ledger is None or wanted is None or not ledger.subscribed(cluster):
            return True
        if cluster in ledger.held:
            return not ledger.going(cluster)
        rejection = ledger.rejected.get(cluster)
        if rejection is not None and rejection.version == wanted.version:
            return True
        endpoints = [key.name for key in wanted.references if key.type is ResourceType.ENDPOINTS]
        return (
            cluster in ledger.unsure
            and bool(endpoints)
            and self.warmed.issuperset(endpoints)
            and self.withholding
        )

    def _current(self, key: ResourceKey, world: Resources) -> bool:
        """Whether the client has a filter as it should be now, with all that routes name in it."""
        ledger, wanted = self._ledgers.get(key.type), world[key.type].get(key.name)
        if ledger is None or wanted is None or not ledger.subscribed(key.name):
            return True
        rejection = ledger.rejected.get(key.name)
        if rejection is not None and rejection.version == wanted.version:
            return True
        return ledger.held_version(key.name) == wanted.version

    def keeps(self, key: ResourceKey, deadline: float, now: float) -> bool:
        """Whether a removal has to wait, because what named it may still be in force."""
        namers = _NAMED_BY.get(key.type)
        if namers is None:
            return False
        used = self._uses.any(key)
        if key.type is ResourceType.SCOPE and not used:
            return False  # a destination that is captured no more must not be served
        if now < self.settled_at:
            return True
        if not used and not self.strangers(namers):
            return False
        return now < deadline or self._pinned(key, namers)

    def _pinned(self, key: ResourceKey, namers: Iterable[ResourceType]) -> bool:
        """Whether a rejection keeps an older version in force that names the key, or may."""
        for type_ in namers:
            ledger = self._ledgers.get(type_)
            for name in ledger.rejected if ledger is not None else ():
                held = ledger.held.get(name) if ledger is not None else None
                if isinstance(held, str) or (held is not None and key in held.references):
                    return True
        return False

    def strangers(self, types: Iterable[ResourceType]) -> bool:
        """Whether the client holds versions of these types that the world doesn't know."""
        return any(
            ledger.strangers for type_ in types if (ledger := self._ledgers.get(type_)) is not None
        )
