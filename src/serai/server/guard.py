"""Who may ask for whose configuration, and with which certificate it is served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

import grpc
import msgspec

from serai.server.authority import Pair
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
    "unproven": grpc.StatusCode.UNAUTHENTICATED,
    "forbidden": grpc.StatusCode.PERMISSION_DENIED,
    "unavailable": grpc.StatusCode.UNAVAILABLE,
}


def token_of(metadata: object) -> str:
    """The bearer token that a call came with; empty if it came with none."""
    for key, value in metadata or ():  # type: ignore[attr-defined]  # pairs, as grpc has them
        if key == "authorization" and value.startswith(BEARER):
            return str(value.removeprefix(BEARER)).strip()
    return ""


def served_with(current: Callable[[], Pair]) -> grpc.ServerCredentials:
    """Credentials that follow what `current` says, for every connection that is new."""
    told = current()

    def newer() -> grpc.ServerCertificateConfiguration | None:
        nonlocal told
        found = current()
        if found == told:
            return None
        told = found
        return _configuration(found)

    # Clients prove themselves by tokens, not by certificates.
    return grpc.dynamic_ssl_server_credentials(
        _configuration(told),
        newer,  # type: ignore[arg-type]  # None: as it was
        require_client_authentication=False,
    )


def _configuration(one: Pair) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(one.key, one.certificate)])
