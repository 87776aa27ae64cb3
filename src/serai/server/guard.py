"""Who may ask for whose configuration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol

import msgspec

from serai.server.calls import Status
from serai.xds.wire import Node

BEARER = "Bearer "


class Identity(msgspec.Struct, frozen=True):
    """Somebody who has proven who he is."""

    name: str
    """Such as ``system:serviceaccount:shop:edge``."""
    seconds: float
    """For how long the proof holds."""


class RefusedError(Exception):
    """He is not served.  The text says why, to him as well."""

    def __init__(self, code: Literal["unproven", "forbidden", "unavailable"], why: str) -> None:
        super().__init__(why)
        self.code = code


class Guard(Protocol):
    """Decides of each stream whether it is served; both raise RefusedError."""

    async def identify(self, token: str) -> Identity:
        """Whose token it is; empty: there was none."""

    def permit(self, who: Identity, node: Node) -> None:
        """Whether he may have what the node's Gateway has."""


STATUS = {
    "unproven": Status.UNAUTHENTICATED,
    "forbidden": Status.PERMISSION_DENIED,
    "unavailable": Status.UNAVAILABLE,
}


def token_of(metadata: Iterable[tuple[str, str]]) -> str:
    """The bearer token that a call came with; empty if it came with none."""
    for key, value in metadata:
        if key == "authorization" and value.startswith(BEARER):
            return str(value.removeprefix(BEARER)).strip()
    return ""
