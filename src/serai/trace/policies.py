"""What policies say of a request: each feature in force, in the order in which they act."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from serai.ir.leaf import FailClosed, Leaf
from serai.ir.route import (
    NO_MUTATIONS,
    Forward,
    HeaderMutations,
    PathRewrite,
    Route,
    WeightedCluster,
)
from serai.model.addresses import canonical
from serai.policies import ADDITIVE, BY_NAME, ORDER
from serai.policies.feature import Asked, Judgement, Stage
from serai.policies.tokens import JWT_AUTH, REQUEST_AUTHENTICATION
from serai.trace.headers import mutated
from serai.trace.match import Facts
from serai.trace.outcome import Answered, Closed, Step
from serai.trace.request import Destination, TraceRequest, Way

TOKENS = frozenset({JWT_AUTH.name, REQUEST_AUTHENTICATION.name})
BY_POLICY = "policy"
"""Why one answers, where a policy does in place of what it applies to."""
CLIENT = "127.0.0.1"
"""Where the client of a traced request is taken to be: on this machine."""


def judged(
    leaves: tuple[Leaf, ...], facts: Facts, route: str, steps: list[Step]
) -> Answered | None:
    """What answers a request in place of its backend; None if all let it pass.

    Adds to `steps`.
    """
    return _judged(leaves, _asked(facts), route, steps)


def guarded(
    found: Route, asked: tuple[Leaf, ...], facts: Facts, steps: list[Step]
) -> Answered | None:
    """Who answers before Envoy itself does, where it is asked whether it is there.

    That is after it is decided who may call, and before what is then done with requests.  Of
    shares with policies of their own: the first one's answer, if each has one.  Adds to `steps`.
    """
    clusters = found.action.clusters if isinstance(found.action, Forward) else ()
    apart = [each.leaves for each in clusters if each.leaves] or [asked]
    answers = [
        _judged(tuple(filter(_guards, leaves)), _asked(facts), found.name, steps)
        for leaves in apart
    ]
    return answers[0] if all(answers) else None


def _guards(leaf: Leaf) -> bool:
    early = BY_NAME[leaf.feature].stage <= Stage.AUTHZ
    return early and not isinstance(leaf.value, FailClosed)


def verified(leaves: tuple[Leaf, ...], facts: Facts) -> Facts | None:
    """A request as routes see it once its token was verified; None where it has no good one."""
    found: dict[str, Any] = {}
    headers, path = facts.headers, facts.path
    for name, value in _values(leaves):
        if name in TOKENS:
            said = BY_NAME[name].judge(value, _asked(facts))
            found |= said.claims
            headers = mutated(headers, said.request)
            if said.query is not None:
                path = f"{facts.bare_path}?{said.query}" if said.query else facts.bare_path
    return replace(facts, claims=found, headers=headers, path=path) if found else None


def changed(found: Route, facts: Facts) -> tuple[Route, Facts]:
    """A route and a request, as the policies in force on all of the route change them."""
    request, response = NO_MUTATIONS, found.response_headers
    action, asked, answers = found.action, _asked(facts), list[HeaderMutations]()
    for name, value in _values(found.leaves):
        said = BY_NAME[name].judge(value, asked)
        asked = _then(asked, said)
        request = request.then(said.request)
        answers.append(said.response)
        if said.path and isinstance(action, Forward) and action.rewrite_path is None:
            action = replace(action, rewrite_path=PathRewrite(said.path, prefix=False))
    for each in reversed(answers):
        response = response.then(each)
    headers = {"request_headers": request.then(found.request_headers), "response_headers": response}
    return replace(found, action=action, **headers), replace(facts, path=asked.path)


def shared(found: Route, forward: Forward, facts: Facts, steps: list[Step]) -> Route:
    """A route whose shares have policies of their own, each with what those do to its requests.

    Adds to `steps`.
    """
    clusters: list[WeightedCluster] = []
    for each in forward.clusters:
        apart = replace(found, leaves=each.leaves, action=replace(forward, clusters=(each,)))
        refused = judged(each.leaves, facts, found.name, steps)
        sent, _ = changed(apart, facts)
        headers = {
            "request_headers": sent.request_headers.then(each.request_headers),
            "response_headers": sent.response_headers.then(each.response_headers),
        }
        status = {"cluster": None, "status": refused.status} if refused else {}
        clusters.append(replace(each, leaves=(), **headers, **status))
    action = replace(forward, clusters=tuple(clusters))
    return replace(
        found, action=action, request_headers=NO_MUTATIONS, response_headers=NO_MUTATIONS
    )


def _then(asked: Asked, said: Judgement) -> Asked:
    """The request as the filters after one see it."""
    bare, mark, query = asked.path.partition("?")
    rest = query if said.query is None else said.query
    path = f"{bare}?{rest}" if rest or (mark and said.query is None) else bare
    headers, claims = mutated(asked.headers, said.request), {**asked.claims, **said.claims}
    return replace(asked, headers=headers, path=path, claims=claims)


def _values(leaves: tuple[Leaf, ...]) -> list[tuple[str, Any]]:
    """What each feature in force comes to, in the order in which they act.

    One of which a part cannot be used is refused as a whole, unless its parts add up.
    """
    values: dict[str, list[Any]] = {}
    refused = {each.feature for each in leaves if isinstance(each.value, FailClosed)}
    for leaf in sorted(leaves, key=lambda each: ORDER[each.feature]):
        if leaf.feature not in refused - ADDITIVE and not isinstance(leaf.value, FailClosed):
            values.setdefault(leaf.feature, []).append(leaf.value)
    return [(name, BY_NAME[name].together(found)) for name, found in values.items()]


def judged_bytes(
    leaves: tuple[Leaf, ...],
    request: TraceRequest,
    steps: list[Step],
    *,
    identified: bool,
    server_name: str = "",
) -> Closed | None:
    """What closes a connection that is not HTTP; None if all let it pass.

    `server_name` is the ClientHello's, where somebody has looked at it.
    Adds to `steps`.
    """
    address, port = _where(request.way)
    asked = Asked(
        method="",
        authority="",
        path="",
        headers=(),
        principal=request.principal if identified else None,
        http=False,
        server_name=server_name,
        source=_client(request.way),
        remote=_client(request.way),
        destination=address,
        port=port,
    )
    mine = tuple(each for each in leaves if BY_NAME[each.feature].additive)
    answered = _judged(mine, asked, "", steps)
    return Closed(answered.reason, answered.message) if answered else None


def _judged(
    leaves: tuple[Leaf, ...], asked: Asked, route: str, steps: list[Step]
) -> Answered | None:
    for name, value in _values(leaves):
        said = BY_NAME[name].judge(value, asked)
        origin = next(each.origin for each in leaves if each.feature == name)
        outcome = f"answers {said.status}" if said.status else "passes"
        steps.append(Step(f"policy {name}", outcome, said.words, origin))
        if said.status:
            added = HeaderMutations(set=said.headers)
            return Answered(said.status, BY_POLICY, said.words, added, route)
        asked = _then(asked, said)
    return _refused(leaves, route, steps)


def _refused(leaves: tuple[Leaf, ...], route: str, steps: list[Step]) -> Answered | None:
    """The answer of a route where a policy cannot be used, which comes after all filters."""
    for leaf in leaves:
        if isinstance(leaf.value, FailClosed):
            why = f"cannot be used, and must not be skipped: {leaf.value.why}"
            steps.append(Step(f"policy {leaf.feature}", "refused", why, leaf.origin))
            return Answered(leaf.value.status, "policy_invalid", why, route=route)
    return None


def _asked(facts: Facts) -> Asked:
    address, port = _where(facts.way)
    return Asked(
        method=facts.method,
        authority=facts.authority,
        path=facts.path,
        headers=facts.headers,
        principal=facts.principal,
        source=_client(facts.way),
        remote=_remote(facts),
        destination=address,
        port=port,
        claims=facts.claims,
        keys=facts.keys,
        at=facts.at,
    )


def _where(way: Way) -> tuple[str, int]:
    return (way.address, way.port) if isinstance(way, Destination) else (CLIENT, way.port)


def _client(way: Way) -> str:
    """In a PROXY header both addresses are of the same family."""
    address, _ = _where(way)
    return f"::ffff:{CLIENT}" if ":" in address else CLIENT


def _remote(facts: Facts) -> str:
    """At a waypoint the last of x-forwarded-for is the client; a gateway takes nobody's word."""
    if not isinstance(facts.way, Destination):
        return CLIENT
    forwarded = [value for name, value in facts.headers if name == "x-forwarded-for"]
    last = ",".join(forwarded).rpartition(",")[2].strip()
    return (canonical(last) if last else None) or _client(facts.way)
