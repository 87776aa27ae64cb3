"""The pure core, fed by batches of objects: what every mode has in common."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from serai.api.meta import Key, Object
from serai.app.expiry import Expiry
from serai.app.pipeline import Pipeline, pipeline
from serai.app.placement import place
from serai.attach.deployment import WISHES
from serai.attach.gateways import proxy_key
from serai.incremental import Failure
from serai.ir.cluster import Locality
from serai.ir.viewpoint import Viewpoint
from serai.model.catalog import CLAIMING, claim_of
from serai.model.inputs import ViewpointKey
from serai.model.issuers import Issuer
from serai.model.key_pairs import READ, Window
from serai.model.networks import OWN
from serai.model.settings import Settings
from serai.model.vips import Allocator, Claim, History, Vips
from serai.policies.tokens.requirement import KeySource
from serai.translate.collections import Named
from serai.translate.tokens import FETCHES, REQUIRED, Required
from serai.xds.resource import Resource, ResourceKey
from serai.xds.snapshot import SnapshotKey
from serai.xds.wire import Node

PlaceChanges = dict[tuple[str, Viewpoint], dict[ResourceKey, Resource | None] | None]
ResourceChanges = dict[str, dict[ResourceKey, Resource | None]]

PORTION = 500
"""Services that are computed at once when there are very many; 0.2 s."""


class Committed(msgspec.Struct, frozen=True):
    """What a batch changed."""

    resources: ResourceChanges
    """By proxy (``namespace/name``): new and changed resources; None for those that went."""
    statuses: tuple[Key, ...]
    problems: bool
    """Whether the pipeline's problems changed, or what could not be computed."""
    vips: Mapping[Key, Vips | None] = {}
    """By object: what was looked at again; None where it has no VIPs of ours."""
    places: PlaceChanges = {}
    """Likewise what is different for clients at some place; None where nobody is any more."""
    fetches: tuple[KeySource, ...] = ()
    """The key sets of which it changed whether, or where, they are fetched."""
    wishes: tuple[Key, ...] = ()
    """The Gateways of which it changed how they are to be deployed."""
    rows: int = 0
    """How many rows of all collections it changed: how much was made, and let go of."""


class Core:
    """Applies batches, each as one commit, and says what changed."""

    def __init__(
        self,
        settings: Settings,
        is_usable: Callable[[str], bool] = lambda _: True,
        now: Callable[[], float] | None = None,
    ) -> None:
        """`is_usable`: whether an address that a Gateway asks for can be listened on here.

        `now` gives the seconds since 1970; without it every certificate is taken for valid.
        """
        self.pipeline: Pipeline = pipeline(settings)
        self.addresses: dict[Key, tuple[str, ...]] = {}
        self.vips = Allocator(settings.vip_ranges)
        self._is_usable = is_usable
        self._expiry = Expiry(now) if now else None
        self._required: dict[Named, Required] = {}
        self._retiring: tuple[set[Named], set[Named]] = (set(), set())
        """What routes required of tokens: since the last `forget`, and before it."""
        self._learned: dict[str, Issuer] = {}
        self._failures: dict[Any, Failure] = {}
        """What could not be computed in the last commit."""

    def apply(
        self, changed: Iterable[Object], removed: Iterable[Key] = (), *, keep: bool = True
    ) -> Committed:
        """Apply objects that are new or changed, and drop those that went.

        `keep` keeps every Gateway on the address it has, and every service on its VIPs.
        """
        inputs = self.pipeline.inputs
        claims: dict[Key, Claim | None] = {}
        for obj in changed:
            key = obj.key
            inputs.put(key, obj)
            if key.kind in CLAIMING:
                claims[key] = claim_of(key, obj, self.pipeline.settings)
        for key in removed:
            inputs.drop(key)
            if key.kind in CLAIMING:
                claims[key] = None
        vips = self._allocate(claims, keep=keep)
        return msgspec.structs.replace(self.commit(keep=keep), vips=vips)

    def begin(self, objects: Iterable[Object]) -> Iterator[Committed]:
        """Apply the first objects in portions; what the last one says is of all of them.

        Whatever services are made of goes first.  So what comes of a service mostly stays as it
        is, and whoever gets it may begin with it while the next ones are computed.
        """
        inputs, claiming = self.pipeline.inputs, list[tuple[Key, Object]]()
        for obj in objects:
            key = obj.key
            if key.kind in CLAIMING:
                claiming.append((key, obj))
            else:
                inputs.put(key, obj)
        # Who gets which VIP must not depend on how they are divided.
        claims = {key: claim_of(key, obj, self.pipeline.settings) for key, obj in claiming}
        vips = self._allocate(claims, keep=True)
        found, said = _Changes(), _Changes()
        for start in range(0, max(1, len(claiming)), PORTION):
            if start:
                yield self._committed(found)
            for key, obj in claiming[start : start + PORTION]:
                inputs.put(key, obj)
            found = self._settle(keep=True)
            said.merge(found)
        last = self._committed(said, of=found.snapshot)
        yield msgspec.structs.replace(last, vips=vips)

    def remember(self, history: History) -> None:
        """Begin with the VIPs of an earlier life; before anything is applied."""
        self.vips = Allocator(self.pipeline.settings.vip_ranges, history)

    def allocate_from(self, ranges: tuple[str, ...]) -> Committed:
        """Hand out VIPs from these ranges from now on; none: take what statuses say was given."""
        self.vips, found = self.vips.within(ranges)
        self._put_vips(found)
        return msgspec.structs.replace(self.commit(), vips=found)

    def learn(self, uri: str, issuer: Issuer) -> None:
        """What an issuer of tokens tells of itself; it counts from the next commit on."""
        self._learned[uri] = issuer

    def commit(self, *, keep: bool = True) -> Committed:
        """Bring everything up to date with what was put in."""
        return self._committed(self._settle(keep=keep))

    def _settle(self, *, keep: bool) -> _Changes:
        graph = self.pipeline.graph
        learned, self._learned = self._learned, {}
        for uri, issuer in learned.items():
            self.pipeline.inputs.issuers.put(uri, issuer)
        changes = graph.commit()
        found = _Changes()
        found.add(changes)
        # A Gateway's addresses and age are no part of its proxy, and decide where it listens.
        moved = changes.keys() & {"proxies", "listeners", self.pipeline.inputs.gateways.name}
        if moved and self.pipeline.settings.standalone:
            self._place(keep=keep)
            found.add(graph.commit())
        if self._retire(found.tokens, keep=keep):
            found.add(graph.commit())
        found.add(self._look_at_clock(changes.get(READ, ())))
        if graph.failures != self._failures:
            self._failures = dict(graph.failures)
            found.problems = True
        return found

    def is_due(self) -> bool:
        """Whether the time of a certificate has come or is over, and `commit` should be called."""
        return self._expiry is not None and self._expiry.is_due()

    def _look_at_clock(self, changed: Iterable[Any]) -> Mapping[str, Collection[object]]:
        if self._expiry is None:
            return {}
        untimely = self.pipeline.inputs.untimely
        found = self._expiry.look(changed, self._window)
        for key, fault in found.items():
            if fault:
                untimely.put(key, fault)
            elif untimely.row(key) is not None:
                untimely.drop(key)
        return self.pipeline.graph.commit() if found else {}

    def _window(self, key: Key) -> Window | None:
        found = self.pipeline.attached.certificates.pairs.row(key)
        return found.window if found else None

    @property
    def remembers(self) -> bool:
        """Whether there is anything to let go of with `forget`."""
        return any(self._retiring)

    def forget(self) -> Committed:
        """Let go of what no route has required of tokens since the last time this was called.

        Routes and what they require are told to Envoys one after the other; so what is not
        required any more is known to them a while longer.
        """
        recent, old = self._retiring
        for key in old - recent:
            self.pipeline.inputs.retired_tokens.drop(key)
        self._retiring = (set(), recent)
        return self.commit()

    def _retire(self, changed: Iterable[Named], *, keep: bool) -> bool:
        """Keep what is not required any more; whether there is any."""
        table, recent = self.pipeline.inputs.retired_tokens, self._retiring[0]
        gone = False
        for key in changed:
            row = self.pipeline.translated.tokens.required.row(key)
            if row is not None:
                self._required[key] = row
            elif (before := self._required.pop(key, None)) is not None and keep:
                table.put(key, before)
                recent.add(key)
                gone = True
        return gone

    def locate(self, node: Node) -> Viewpoint | None:
        """Where a client is, if that is a place of its own.

        What it does not say is taken from its Pod, where its id is the Pod's ``name.namespace``.
        """
        said = node.viewpoint or Viewpoint()
        name, _, namespace = node.id.rpartition(".")
        pod = self.pipeline.attached.catalog.workloads.row(Key("Pod", namespace, name))
        found = said
        if pod is not None:
            found = Viewpoint(
                said.locality if said.locality != Locality() else pod.locality,
                said.network or pod.network,
                said.node or pod.node,
                said.labels or pod.labels,
            )
        if found != Viewpoint() and not found.network:
            own = self.pipeline.attached.catalog.networks.own.row(OWN) or ""
            found = msgspec.structs.replace(found, network=own)
        return None if found in (Viewpoint(), self.pipeline.settings.viewpoint) else found

    def resource(self, proxy: Key, key: ResourceKey) -> Resource | None:
        """What a proxy should have under a key; None if nothing."""
        return self.pipeline.snapshot.row(SnapshotKey(proxy, *key))

    def look(self, places: Iterable[tuple[str, Viewpoint]]) -> Committed:
        """These are the places of their own that clients look from, from now on."""
        wanted = {
            ViewpointKey(proxy_key(proxy), viewpoint): (proxy, viewpoint)
            for proxy, viewpoint in places
            if "/" in proxy
        }
        table = self.pipeline.inputs.viewpoints
        gone, come = table.rows.keys() - wanted.keys(), wanted.keys() - table.rows.keys()
        for key in gone:
            table.drop(key)
        for key in come:
            table.put(key, key.viewpoint)
        committed = self.commit()
        changes: PlaceChanges = {wanted[key]: {} for key in come}
        changes |= committed.places
        changes |= {(key.proxy.namespaced_name, key.viewpoint): None for key in gone}
        return msgspec.structs.replace(committed, places=changes)

    def _allocate(self, claims: dict[Key, Claim | None], *, keep: bool) -> dict[Key, Vips | None]:
        if not claims:
            return {}
        if keep:
            found = self.vips.update(claims)
        else:
            self.vips, found = self.vips.afresh(claims)
        self._put_vips(found)
        return found

    def _put_vips(self, found: Mapping[Key, Vips | None]) -> None:
        for key, vips in found.items():
            if vips is None:
                self.pipeline.inputs.vips.drop(key)
            else:
                self.pipeline.inputs.vips.put(key, vips)

    def _place(self, *, keep: bool) -> None:
        pipe = self.pipeline
        proxies = dict(pipe.attached.proxies.items())
        gateways = {key: row for key in proxies if (row := pipe.inputs.gateways.row(key))}
        kept = self.addresses if keep else {}
        heard = pipe.attached.listeners.row
        listening = {key: pipe.attached.of_proxy.row(key) or () for key in proxies}
        ports = {
            key: {state.listener.port for each in names if (state := heard(each))}
            for key, names in listening.items()
        }
        placed = place(proxies, gateways, ports, pipe.settings, kept)
        for key in self.addresses.keys() - placed.keys():
            pipe.inputs.gateway_addresses.drop(key)
            pipe.inputs.unusable_addresses.drop(key)
        for key, addresses in placed.items():
            unusable = tuple(each for each in addresses if not self._is_usable(each))
            pipe.inputs.unusable_addresses.put(key, unusable)
            usable = tuple(each for each in addresses if each not in unusable)
            pipe.inputs.gateway_addresses.put(key, usable)
        self.addresses = placed

    def _committed(
        self, found: _Changes, of: Mapping[SnapshotKey, None] | None = None
    ) -> Committed:
        """What was changed; `of`: the resources of it that are not known yet, if not all."""
        resources: ResourceChanges = {}
        places: dict[tuple[str, Viewpoint], dict[ResourceKey, Resource | None]] = {}
        for key in found.snapshot if of is None else of:
            name, viewpoint = key.proxy.namespaced_name, key.viewpoint
            changed = (
                resources.setdefault(name, {})
                if viewpoint is None
                else places.setdefault((name, viewpoint), {})
            )
            changed[key.resource] = self.pipeline.snapshot.row(key)
        return Committed(
            resources,
            tuple(found.statuses),
            found.problems,
            places={**places},
            fetches=tuple(found.fetches),
            wishes=tuple(found.wishes),
            rows=found.rows,
        )


class _Changes:
    """What one or two commits changed, together."""

    def __init__(self) -> None:
        self.snapshot: dict[SnapshotKey, None] = {}
        self.statuses: dict[Key, None] = {}
        self.problems = False
        self.tokens: dict[Named, None] = {}
        self.fetches: dict[KeySource, None] = {}
        self.wishes: dict[Key, None] = {}
        self.rows = 0

    def merge(self, other: _Changes) -> None:
        """Add what another one has, but for resources."""
        self.statuses |= other.statuses
        self.problems |= other.problems
        self.fetches |= other.fetches
        self.wishes |= other.wishes
        self.rows += other.rows

    def add(self, changes: Mapping[str, Collection[object]]) -> None:
        """Add what a commit changed."""
        self.rows += sum(map(len, changes.values()))
        self.snapshot.update(dict.fromkeys(changes.get("snapshot", ())))  # type: ignore[arg-type]
        self.statuses.update(dict.fromkeys(changes.get("statuses", ())))  # type: ignore[arg-type]
        self.problems = self.problems or "problems" in changes
        self.fetches.update(dict.fromkeys(changes.get(FETCHES, ())))  # type: ignore[arg-type]
        self.tokens.update(dict.fromkeys(changes.get(REQUIRED, ())))  # type: ignore[arg-type]
        self.wishes.update(dict.fromkeys(changes.get(WISHES, ())))  # type: ignore[arg-type]
