"""The requests of a case through `trace`."""

from __future__ import annotations

import time
from collections.abc import Iterator

from msgspec.structs import replace

from casekit.requests import Expect, Observed, Request, listed, mismatches
from serai.ir.route import HeaderMutations
from serai.model.addresses import with_port
from serai.trace import (
    Answered,
    Closed,
    Forwarded,
    Redirected,
    Share,
    Trace,
    Unresolved,
    View,
    resolve,
    trace,
)


def follow(view: View, request: Request) -> Trace | Unresolved:
    """Trace a case's request."""
    resolved = resolve(
        view,
        request.url,
        method=request.method,
        headers=request.header_pairs,
        as_=request.from_,
        via=request.via,
    )
    return (
        resolved
        if isinstance(resolved, Unresolved)
        else trace(view, replace(resolved, at=time.time()))
    )


def possible(found: Trace | Unresolved) -> tuple[Observed, ...]:
    """Everything that may be observed of a request, one for each endpoint or answer."""
    if isinstance(found, Unresolved):
        return (Observed(unresolved=found.reason),)
    match found.outcome:
        case Forwarded(protocol, shares, route):
            return tuple(
                each
                for share in shares
                for each in _of_share(share, route, http=protocol == "http")
            )
        case Redirected(status, location, response, route):
            return (_answer(status, response, route, location),)
        case Answered(status, _, _, response, route):
            return (_answer(status, response, route),)
        case Closed():
            return (Observed(closed=True),)


def _answer(status: int, response: HeaderMutations, route: str, location: str = "") -> Observed:
    return Observed(
        status=status,
        endpoint="",
        backend="",
        cluster="",
        route=route,
        location=location,
        headers=(),
        response_headers=_changed(response),
    )


def _of_share(share: Share, route: str, *, http: bool) -> Iterator[Observed]:
    common = Observed(
        cluster=share.cluster or "",
        backend=str(share.origin or ""),
        route=route,
        response_headers=_changed(share.response),
        share=share.share,
        location=share.location,
    )
    if share.status is not None:
        yield _with(common, status=share.status, endpoint="", closed=not http)
        return
    total = sum(each.weight for each in share.endpoints)
    for endpoint in share.endpoints:
        yield _with(
            common,
            status=200 if share.method else None,
            endpoint=with_port(endpoint.address, endpoint.port),
            method=share.method,
            path=share.path,
            host=share.authority,
            headers=share.headers,
            share=share.share * endpoint.weight / total,
        )


def _with(observed: Observed, **changes: object) -> Observed:
    fields = {name: getattr(observed, name) for name in Observed.__struct_fields__}
    return Observed(**{**fields, **changes})


def _changed(response: HeaderMutations) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), value) for name, value in (*response.set, *response.add))


def faults(request: Request, found: Trace | Unresolved) -> list[str]:
    """What a trace contradicts; where several endpoints are expected, it reaches just these."""
    observed = possible(found)
    said = [words for each in observed for words in mismatches(request.expect, each)]
    for name in ("status", "endpoint", "backend", "cluster"):
        wanted = getattr(request.expect, name)
        got = sorted({str(getattr(each, name)) for each in observed} - {"", "None"})
        if wanted is not None and sorted(listed(wanted)) != got:
            said.append(f"{name}: expected just {sorted(listed(wanted))}, got {got}")
    return [*dict.fromkeys(said), *_shares(request.expect, observed)]


def _shares(expect: Expect, observed: tuple[Observed, ...]) -> Iterator[str]:
    if not expect.shares:
        return
    got: dict[str, float] = {}
    for each in observed:
        name = each.endpoint or str(each.status)
        got[name] = round(got.get(name, 0) + 100 * each.share, 2)
    if got != {name: round(share, 2) for name, share in expect.shares.items()}:
        yield f"shares: expected {expect.shares}, got {got}"
