"""One stream of a client, from its first word to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal, Protocol

import structlog

from serai.server.calls import Call, Status
from serai.server.client import BrokenProtocol, Client
from serai.server.guard import STATUS, Guard, Identity, RefusedError, token_of
from serai.xds.wire import (
    Node,
    Unreadable,
    decode_delta,
    decode_sotw,
    encode_delta,
    encode_sotw,
)

log = structlog.get_logger(__name__)

Spoken = Literal["delta", "sotw"]

_DECODE: dict[Spoken, Callable[[bytes], Any]] = {"delta": decode_delta, "sotw": decode_sotw}
_ENCODE: dict[Spoken, Callable[[Any], bytes]] = {"delta": encode_delta, "sotw": encode_sotw}


class Host(Protocol):
    """Who knows the clients."""

    guard: Guard | None

    def connected(self, talk: Talk, node: Node) -> Client[Any, Any]:
        """Somebody has said who he is."""

    def disconnected(self, client: Client[Any, Any]) -> None:
        """He is gone."""

    def pushed(self, resources: int) -> None:
        """So many were handed to a connection."""


class Talk:
    """Proves who speaks, finds out for which proxy, and passes on what both sides say."""

    def __init__(self, host: Host, call: Call, protocol: Spoken) -> None:
        """Until it is proven who speaks, what he says waits, and is not much."""
        self.protocol = protocol
        self._host, self._call = host, call
        self._decode, self._encode = _DECODE[protocol], _ENCODE[protocol]
        self._client: Client[Any, Any] | None = None
        self._who: Identity | None = None
        self._said: list[bytes] = []
        self._has_ended = False
        self._proving: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        if host.guard is None:
            call.trust()
        else:
            proof = self._prove(host.guard, token_of(call.metadata))
            self._proving = asyncio.get_running_loop().create_task(proof)

    # What the call tells.

    def message(self, data: bytes) -> None:
        """A request."""
        if self._proving is not None:
            self._said.append(data)
            return
        try:
            self._hear(self._decode(data))
        except (BrokenProtocol, RefusedError) as error:
            self._refuse(error)
        except Exception as error:  # noqa: BLE001  whatever it is, only this stream ends of it
            self.failed(error)

    def ended(self) -> None:
        """The client has said all."""
        if self._proving is not None:
            self._has_ended = True
            return
        self._finish(Status.OK)

    def gone(self) -> None:
        """Nobody is there any more."""
        client, self._client = self._client, None
        if self._proving is not None:
            self._proving.cancel()
        if self._timer is not None:
            self._timer.cancel()
        if client is not None:
            client.close()
            self._host.disconnected(client)

    def drained(self) -> None:
        """There is room for more."""
        if self._client is not None:
            self._client.wake()

    # What the client's side tells.

    @property
    def clear(self) -> bool:
        """Whether all that was sent has left."""
        return self._call.clear

    def send(self, response: Any) -> None:
        """Hands a response to the connection."""
        self._call.send(self._encode(response))
        self._host.pushed(len(response.resources))

    def hold(self) -> None:
        """Lets requests wait in the connection."""
        self._call.hold()

    def release(self) -> None:
        """Lets them come."""
        self._call.release()

    def failed(self, error: Exception) -> None:
        """Something is wrong with us."""
        log.error("xds.stream_failed", peer=self._call.peer, exc_info=error)
        self._finish(Status.INTERNAL, "the xDS server failed on this stream")

    async def _prove(self, guard: Guard, token: str) -> None:
        try:
            self._who = await guard.identify(token)
        except RefusedError as error:
            self._proving = None
            self._refuse(error)
            return
        except Exception as error:  # noqa: BLE001
            self._proving = None
            self.failed(error)
            return
        self._proving = None
        self._call.trust()
        said, self._said = self._said, []
        for each in said:
            self.message(each)
        if self._has_ended:
            self.ended()

    def _hear(self, found: Any) -> None:
        if self._client is not None:
            self._client.hear(found.request)
            return
        if found.node is None:
            reason = found.request.reason if isinstance(found.request, Unreadable) else ""
            raise BrokenProtocol(reason or "the first request names no node")
        if self._who is not None and self._host.guard is not None:
            self._host.guard.permit(self._who, found.node)
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._who.seconds, self._expired, found.node)
        self._client = self._host.connected(self, found.node)
        self._client.hear(found.request)

    def _expired(self, node: Node) -> None:
        """It comes back with a newer proof; what it has stays as it is."""
        log.info("xds.proof_expired", proxy=node.cluster, node=node.id)
        self._finish(Status.OK)

    def _refuse(self, error: BrokenProtocol | RefusedError) -> None:
        event, status = "xds.broken_protocol", Status.INVALID_ARGUMENT
        if isinstance(error, RefusedError):
            event, status = "xds.refused", STATUS[error.code]
        log.warning(event, peer=self._call.peer, reason=str(error))
        self._finish(status, str(error))

    def _finish(self, status: Status, why: str = "") -> None:
        self._call.finish(status, why)
        self.gone()
