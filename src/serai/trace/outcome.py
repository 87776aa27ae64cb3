"""What a trace finds: the steps on the way, and where it ends."""

from __future__ import annotations

from serai.ir.cluster import Endpoint
from serai.ir.origin import Origin, Value
from serai.ir.route import NO_MUTATIONS, HeaderMutations
from serai.trace.request import TraceRequest

Headers = tuple[tuple[str, str], ...]


class Other(Value, frozen=True):
    """A candidate that was not chosen."""

    name: str
    why: str


class Step(Value, frozen=True):
    """One decision: what was looked at, what was found, and why it and not another."""

    what: str
    found: str
    why: str = ""
    origin: Origin | None = None
    others: tuple[Other, ...] = ()
    """Those that lost, or some of them."""


class Share(Value, frozen=True):
    """What becomes of one share of the requests."""

    share: float
    """Between 0 and 1."""
    cluster: str | None
    origin: Origin | None = None
    """The service that is sent to."""
    endpoints: tuple[Endpoint, ...] = ()
    status: int | None = None
    """What Envoy answers by itself where it cannot send; None where an endpoint answers."""
    method: str = ""
    authority: str = ""
    """The host that endpoints are asked for."""
    path: str = ""
    """The path that endpoints are asked for, with the query."""
    headers: Headers = ()
    """The request's headers as endpoints get them, beside those that Envoy adds to any request."""
    secret: tuple[str, ...] = ()
    """Names of those headers whose values no person is shown."""
    response: HeaderMutations = NO_MUTATIONS
    """What is changed in the answer's headers."""
    location: str = ""
    """Where a share that is redirected is told to ask; `status` is the redirect's."""


class Forwarded(Value, frozen=True, tag="forward", tag_field="outcome"):
    """Sent on, to one of the shares' clusters by weight."""

    protocol: str
    """http, or tcp for bytes."""
    shares: tuple[Share, ...]
    route: str = ""


class Redirected(Value, frozen=True, tag="redirect", tag_field="outcome"):
    """Told to ask elsewhere."""

    status: int
    location: str
    response: HeaderMutations = NO_MUTATIONS
    route: str = ""


class Answered(Value, frozen=True, tag="answer", tag_field="outcome"):
    """Answered by Envoy itself."""

    status: int
    reason: str
    """What it is called: direct_response, no_route, no_scope, no_endpoints, bad_request, ..."""
    message: str = ""
    response: HeaderMutations = NO_MUTATIONS
    route: str = ""


class Closed(Value, frozen=True, tag="closed", tag_field="outcome"):
    """The connection is refused or closed without an answer."""

    reason: str
    message: str = ""


Outcome = Forwarded | Redirected | Answered | Closed


class Trace(Value, frozen=True):
    """A request, what was decided on its way, and where it ends."""

    request: TraceRequest
    steps: tuple[Step, ...]
    outcome: Outcome

    @property
    def reaches_a_backend(self) -> bool:
        """Whether an endpoint answers at least some of such requests."""
        return isinstance(self.outcome, Forwarded) and any(
            share.status is None for share in self.outcome.shares
        )
