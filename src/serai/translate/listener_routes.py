"""The HTTP routes that attach to a listener, and the policies on it."""

from __future__ import annotations

from collections.abc import Iterable

from serai.api.meta import Key
from serai.attach.listeners import ListenerState
from serai.attach.routes import ListenerTarget
from serai.incremental import Reader
from serai.ir.leaf import Leaf
from serai.translate.collections import Attached
from serai.translate.virtual_hosts import HostGroup, HostRoutes


def routes_on(
    reader: Reader, attached: Attached, states: Iterable[ListenerState]
) -> tuple[Key, ...]:
    """The routes that attach to any of some listeners, each once."""
    found = (reader.members(attached.on_listener, state.key) for state in states)
    return tuple(sorted({each.route for members in found for each in members}))


def host_group(reader: Reader, attached: Attached, state: ListenerState) -> HostGroup:
    """What one listener answers."""
    entries: list[HostRoutes] = []
    for key, attachment in reader.rows(attached.on_listener, state.key, attached.attachments):
        compiled = reader.get(attached.compiled, key)
        entries += [
            HostRoutes(target.hostnames, compiled.routes)
            for target in attachment.targets
            if compiled and isinstance(target, ListenerTarget) and target.listener == state.key
        ]
    return HostGroup(state.hostname, tuple(entries), leaves=tuple(_leaves(reader, attached, state)))


def _leaves(reader: Reader, attached: Attached, state: ListenerState) -> list[Leaf]:
    """Of the policies on a listener; those on a ListenerSet are for its own listeners only."""
    policies, (parent, name) = attached.policies, state.key
    if parent == state.gateway:
        return policies.of_gateway(reader, parent, name)
    return [*policies.at(reader, parent, (name,)), *policies.of_gateway(reader, state.gateway)]
