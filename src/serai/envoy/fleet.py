"""All Envoys of one `serai run`: one process for each Gateway."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from serai.envoy.keeper import Keeper
from serai.envoy.launch import GatewaySpec, binding
from serai.envoy.leftovers import running_envoys
from serai.envoy.process import EnvoyProcess
from serai.envoy.restarts import RestartPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from serai.envoy.binary import EnvoyBinary
    from serai.envoy.event import Emit, EnvoyStatus, EventKind, FleetEvent
    from serai.envoy.state import Instance

log = structlog.get_logger(__name__)

_LEVELS = {
    "log": "warning",
    "died": "warning",
    "outdated": "warning",
    "port-taken": "error",
    "crash-looping": "error",
    "not-started": "error",
}


class Fleet:
    """Runs the Envoys of an instance.  All methods are for one event loop, in the main thread."""

    def __init__(
        self,
        binary: EnvoyBinary,
        instance: Instance,
        *,
        bind_life: bool = False,
        policy: RestartPolicy | None = None,
        on_event: Emit | None = None,
    ) -> None:
        """With `bind_life` no Envoy outlives this process, however it ends (tests, demos)."""
        self.binary = binary
        self._instance = instance
        self._bound = binding(bind_life=bind_life)
        self._policy = policy or RestartPolicy()
        self.on_event = on_event
        self.told_elsewhere: frozenset[EventKind] = frozenset()
        """What whoever listens tells a person: in the log it is no warning then."""
        self._keepers: dict[str, Keeper] = {}
        self._leaving: dict[asyncio.Task[None], Keeper] = {}
        self._has_looked = False
        self._looking = asyncio.Lock()
        self.had_deaths = False
        """Whether any Envoy died or could not be started, so that its log is worth keeping."""

    async def ensure(self, gateways: Mapping[str, GatewaySpec]) -> None:
        """Run an Envoy for each of these Gateways (``namespace/name``), and for no other.

        The first call adopts what an earlier run left, and ends what of it is not among
        `gateways`: call it only once every input was read.  Returns when all are under way, not
        when they are ready (`wait_ready`); Gateways that left are drained meanwhile.
        """
        async with self._looking:
            found = {} if self._has_looked else await self._look()
            self._has_looked = True
        for gateway in found.keys() - gateways.keys():
            # Its specification is never used: it is only stopped.
            self._leave(self._keeper(gateway, GatewaySpec(bootstrap=b""), found[gateway]))
        for gateway in self._keepers.keys() - gateways.keys():
            self._leave(self._keepers.pop(gateway))
        for gateway, spec in gateways.items():
            if gateway in self._keepers:
                self._keepers[gateway].change(spec)
            else:
                keeper = self._keeper(gateway, spec, found.get(gateway, ()))
                self._keepers[gateway] = keeper
                keeper.run()

    def statuses(self) -> tuple[EnvoyStatus, ...]:
        """How each Gateway's Envoy is, by Gateway; those that are leaving come last."""
        leaving = [keeper.status() for keeper in self._leaving.values()]
        return (*(self._keepers[name].status() for name in sorted(self._keepers)), *leaving)

    async def wait_ready(self) -> None:
        """Return when every Envoy is ready; it may take for ever, so give it a timeout."""
        await asyncio.gather(*(keeper.is_ready.wait() for keeper in self._keepers.values()))

    async def stop(self, *, drain: bool = True) -> None:
        """End all Envoys, each after its requests in flight or its drain_seconds.

        May be called again with drain=False by a user who has lost patience.
        """
        if not drain:
            await asyncio.gather(*(each.stop(drain=False) for each in self._leaving.values()))
        while self._keepers:
            self._leave(self._keepers.popitem()[1], drain=drain)
        await asyncio.gather(*self._leaving)

    async def detach(self) -> None:
        """Let all Envoys run on, to be adopted by the next run; those bound to us still end."""
        keepers = (*self._keepers.values(), *self._leaving.values())
        self._keepers.clear()
        await asyncio.gather(*(keeper.detach() for keeper in keepers))

    async def _look(self) -> dict[str, list[EnvoyProcess]]:
        """What an earlier run left, by Gateway."""
        found: dict[str, list[EnvoyProcess]] = {}
        for record in await asyncio.to_thread(running_envoys, self._instance):
            found.setdefault(record.gateway, []).append(EnvoyProcess(self._instance, record))
        return found

    def _keeper(self, gateway: str, spec: GatewaySpec, found: Iterable[EnvoyProcess]) -> Keeper:
        return Keeper(
            gateway,
            spec,
            found=found,
            instance=self._instance,
            binary=self.binary,
            bound=self._bound,
            policy=self._policy,
            emit=self._emit,
        )

    def _leave(self, keeper: Keeper, *, drain: bool = True) -> None:
        task = asyncio.create_task(keeper.stop(drain=drain))
        self._leaving[task] = keeper
        task.add_done_callback(self._leaving.pop)

    def _emit(self, event: FleetEvent) -> None:
        self.had_deaths |= event.kind in {"died", "not-started"}
        told = event.kind in self.told_elsewhere
        write = getattr(log, "info" if told else _LEVELS.get(event.kind, "info"))
        write(f"envoy.{event.kind}", gateway=event.gateway, pid=event.pid, message=event.message)
        if self.on_event is not None:
            try:
                self.on_event(event)
            except Exception:
                # Whatever is wrong with who listens, the Envoys must be kept.
                log.exception("envoy.event_callback_failed", kind=event.kind)
