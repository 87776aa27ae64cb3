"""How Envoy answers a call of gRPC by itself: with 200, and the status that the caller looks at.

Envoy: Grpc::Utility::httpToGrpcStatus.
"""

from __future__ import annotations

from msgspec.structs import replace

from serai.ir.route import HeaderMutations
from serai.trace.outcome import Answered, Forwarded, Outcome, Share

_UNKNOWN = 2
_STATUSES = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}


def as_call(outcome: Outcome) -> Outcome:
    """What a call of gRPC gets where a request would get an answer of Envoy's own."""
    match outcome:
        case Answered(status, response=response):
            return replace(outcome, status=200, response=_with(response, status))
        case Forwarded(shares=shares):
            return replace(outcome, shares=tuple(_share(each) for each in shares))
        case _:
            return outcome


def _share(share: Share) -> Share:
    if share.status is None or share.location:
        return share
    return replace(share, status=200, response=_with(share.response, share.status))


def _with(response: HeaderMutations, status: int) -> HeaderMutations:
    told = (("grpc-status", str(_STATUSES.get(status, _UNKNOWN))),)
    return response.then(HeaderMutations(set=told))
