"""One client's stream: requests in, changes in, responses out, each at its own pace."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Generic, Literal, Protocol, TypeVar

import msgspec

from serai.ir.viewpoint import Viewpoint
from serai.server.turns import Turns
from serai.xds.conversation import Conversation, Memory
from serai.xds.events import Event
from serai.xds.resource import ResourceKey, ResourceType
from serai.xds.wire import Node, Unreadable
from serai.xds.world import Resources

MAX_WAITING_REQUESTS: Final = 64
"""Beyond this many a client's requests wait in its own connection."""

In = TypeVar("In")
Out = TypeVar("Out")
In_contra = TypeVar("In_contra", contravariant=True)
Out_contra = TypeVar("Out_contra", contravariant=True)


class TypeState(msgspec.Struct, frozen=True):
    """How far a client is with one type of resources; all but the first are counts."""

    type: ResourceType
    acked: int
    pending: int
    rejected: int


class ClientState(msgspec.Struct, frozen=True):
    """A connected client, for tables."""

    proxy: str
    node_id: str
    agent: str
    """What the client says to be, such as ``envoy``."""
    protocol: Literal["delta", "sotw"]
    connected_at: float
    """Seconds since the epoch."""
    known: bool
    """Whether there is such a Gateway; if not, nothing is sent."""
    types: tuple[TypeState, ...]
    viewpoint: Viewpoint | None = None
    """Where it is, if that is a place of its own."""


class Stream(Protocol[In_contra, Out]):
    """What serai.xds.delta and serai.xds.sotw have in common."""

    conversation: Conversation

    def hear(self, request: In_contra, now: float) -> None:
        """Takes a request in."""

    def changed(self, keys: Iterable[ResourceKey]) -> None:
        """These differ in the world."""

    def attach(self, world: Resources, now: float) -> list[Out]:
        """What the proxy should have is known from now on."""

    def tick(self, now: float) -> list[Out]:
        """What is to be sent now."""

    def deadline(self, now: float) -> float:
        """When `tick` must be called at the latest."""

    def events(self) -> list[Event]:
        """What happened since this was last asked."""

    def memory(self) -> Memory:
        """What to keep for the client's next stream."""


class BrokenProtocol(Exception):  # noqa: N818  # what the client did, not what Serai did
    """The client said something after which its stream can't go on."""


class Sink(Protocol[Out_contra]):
    """Where a client's responses go."""

    @property
    def clear(self) -> bool:
        """Whether all that was sent has left."""

    def send(self, response: Out_contra) -> None:
        """Sends a response."""

    def hold(self) -> None:
        """Lets what the client says wait in its connection."""

    def release(self) -> None:
        """Lets it come again."""

    def failed(self, error: Exception) -> None:
        """The stream can't go on."""


class Client(Generic[In, Out]):
    """Moves what a stream and its client have to say.

    Whatever happens is dealt with in one step, soon: what comes until then costs no step of its
    own.  What changes while the client doesn't read is kept as names only, and what it says
    meanwhile waits in its connection, so that no client can fill the memory.
    """

    def __init__(
        self,
        stream: Stream[In, Out],
        node: Node,
        protocol: Literal["delta", "sotw"],
        memory: Memory,
        on_events: Callable[[Client[In, Out], list[Event]], None],
        sink: Sink[Out],
        turns: Turns,
        viewpoint: Viewpoint | None = None,
    ) -> None:
        """`memory` is of the client's last stream, and stands in until this one has settled.

        `viewpoint` is where it is, if that is a place of its own.
        """
        self.node = node
        self.stream = stream
        self.known = False
        self.viewpoint = viewpoint
        self._protocol = protocol
        self._memory: Memory | None = memory
        self._on_events = on_events
        self._sink = sink
        self._turns = turns
        self._connected_at = time.time()
        self._requests: deque[In] = deque()
        self._changed: dict[ResourceKey, None] = {}
        self._world: Resources | None = None
        self._waits_its_turn = False
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def attach(self, world: Resources) -> None:
        """What the client should have is known from now on."""
        self._world, self.known = world, True
        self.wake()

    def go_ahead(self, world: Resources) -> None:
        """A part of what the client should have is known, and changes until all of it is."""
        self.stream.conversation.attach(world, partial=True)
        self.wake()

    def changed(self, keys: Iterable[ResourceKey]) -> None:
        """These differ in the world."""
        self._changed.update(dict.fromkeys(keys))
        self.wake()

    def hear(self, request: In | Unreadable) -> None:
        """The client says something.  Raises BrokenProtocol."""
        if isinstance(request, Unreadable):
            if request.breaks_protocol:
                raise BrokenProtocol(request.reason)
            return
        self._requests.append(request)
        if len(self._requests) >= MAX_WAITING_REQUESTS:
            self._sink.hold()
        self.wake()

    def wake(self) -> None:
        """There is something to do, or room for it again."""
        if not self._waits_its_turn and not self._closed:
            self._waits_its_turn = True
            self._turns.ask(self._step)

    def close(self) -> None:
        """The stream has ended."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def remembered(self) -> Memory | None:
        """What the client's last stream left, as long as this one has not settled."""
        return self._memory

    def settle(self) -> bool:
        """It has all that it should: what its last stream left counts no more, if it still did."""
        left, self._memory = self._memory, None
        return left is not None and bool(left.rejections)

    def _step(self) -> None:
        self._waits_its_turn = False
        if self._closed or not self._sink.clear:
            return  # it is woken when there is room
        try:
            now = time.monotonic()
            for response in self._due(now):
                self._sink.send(response)
            self._wait(now)
        except Exception as error:  # noqa: BLE001  whatever it is, only this stream ends of it
            self._sink.failed(error)

    def _due(self, now: float) -> list[Out]:
        """Everything that came in since the last step is taken in; what is to be sent for it."""
        responses: list[Out] = []
        if self._world is not None:
            responses += self.stream.attach(self._world, now)
            self._world = None
        if self._changed:
            changed, self._changed = self._changed, {}
            self.stream.changed(changed)
        full = len(self._requests) >= MAX_WAITING_REQUESTS
        while self._requests:
            self.stream.hear(self._requests.popleft(), now)
        if full:
            self._sink.release()
        responses += self.stream.tick(now)
        if events := self.stream.events():
            self._on_events(self, events)
        return responses

    def _wait(self, now: float) -> None:
        """Wakes up when it is time, if nothing happens before."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self.stream.deadline(now)
        if deadline != math.inf:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, deadline - now), self.wake)

    def state(self) -> ClientState:
        """How far the client is."""
        ledgers = self.stream.conversation.ledgers
        return ClientState(
            proxy=self.node.cluster,
            node_id=self.node.id,
            agent=self.node.agent,
            protocol=self._protocol,
            connected_at=self._connected_at,
            known=self.known,
            viewpoint=self.viewpoint,
            types=tuple(
                TypeState(
                    type=type_,
                    acked=len(ledgers[type_].held),
                    pending=len(ledgers[type_].pending()),
                    rejected=len(ledgers[type_].rejected),
                )
                for type_ in ResourceType
                if type_ in ledgers
            ),
        )
