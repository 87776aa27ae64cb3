"""What Envoys refuse now, and for which objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import structlog

from serai.api.meta import Key
from serai.app.background import Background
from serai.app.blame import guilty
from serai.attach.gateways import proxy_key
from serai.envoy.binary import EnvoyBinary
from serai.ir.origin import Origin
from serai.xds.events import Rejection
from serai.xds.refusals import Refusal
from serai.xds.resource import Resource, ResourceKey

log = structlog.get_logger(__name__)

MOST_REMEMBERED = 256
"""Versions of which it is known who is guilty; beyond, only those refused now."""

Current = Callable[[Key, ResourceKey], Resource | None]


class Refused:
    """Refusals by proxy.  Each is told on all objects behind it, then on the guilty ones only."""

    def __init__(
        self, binary: EnvoyBinary | None, current: Current, tell: Callable[[Key], None]
    ) -> None:
        """`current` gives what a proxy should have; `tell` is called when a proxy's change."""
        self._binary = binary
        self._current = current
        self._tell = tell
        self._by_proxy: dict[Key, dict[ResourceKey, Refusal]] = {}
        self._found: dict[str, tuple[Origin, ...]] = {}
        """By version: who was found guilty."""
        self._asking = Background()

    def of(self, proxy: Key) -> dict[ResourceKey, Refusal]:
        """What a proxy's Envoys refuse."""
        return self._by_proxy.get(proxy, {})

    def all(self) -> Mapping[Key, Mapping[ResourceKey, Refusal]]:
        """What every proxy's Envoys refuse."""
        return self._by_proxy

    def change(self, name: str, rejections: Mapping[ResourceKey, Rejection]) -> None:
        """These are the rejections of the proxy of that name from now on."""
        proxy = proxy_key(name)
        self._by_proxy[proxy] = {
            key: Refusal(key, each.message, self._found.get(each.version, each.origins))
            for key, each in rejections.items()
        }
        versions = {each.version for each in rejections.values()}
        if len(self._found) > MOST_REMEMBERED:
            self._found = {key: who for key, who in self._found.items() if key in versions}
        for key, each in rejections.items():
            resource = self._current(proxy, key)
            is_open = each.version not in self._found and len(each.origins) > 1
            if resource is not None and resource.version == each.version and is_open:
                self._found[each.version] = each.origins
                self._asking.begin(self._ask(proxy, resource, each.origins))
        self._tell(proxy)

    async def stop(self) -> None:
        """Ask no more."""
        await self._asking.stop()

    async def _ask(self, proxy: Key, resource: Resource, origins: tuple[Origin, ...]) -> None:
        if self._binary is None:
            return
        found = await guilty(self._binary, resource.type, resource.body, origins)
        log.info("xds.guilty", resource=resource.name, objects=[str(each) for each in found])
        self._found[resource.version] = found
        refusal = self.of(proxy).get(resource.key)
        if refusal is not None:
            narrowed = msgspec.structs.replace(refusal, origins=found)
            self._by_proxy[proxy][resource.key] = narrowed
            self._tell(proxy)
