"""Requests that conditions allow or deny.  Envoy: envoy.filters.http.rbac.

The reference decides likewise: what one expression is true of is allowed (or denied), all else is
denied (or allowed); an expression that asks for what is not there is not true.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from serai.api import traffic_auth
from serai.ir.origin import Value
from serai.policies import cel
from serai.policies.feature import (
    Asked,
    Compiled,
    Context,
    Encoded,
    Fault,
    Feature,
    Judgement,
    Stage,
)
from serai.proto.envoy import CelMatcher, HttpAttributesCelMatchInput, HttpRBAC, RBACAction
from serai.proto.pool import pack

FILTER = "envoy.filters.http.rbac"
ACTIONS = ("Allow", "Deny")


class Conditions(Value, frozen=True):
    """What is allowed, or denied: whatever any of the expressions is true of."""

    allows: bool
    expressions: tuple[str, ...]


def _compile(_: Context, spec: traffic_auth.RBAC) -> Compiled | Fault:
    if spec.action not in ACTIONS:
        return Fault("action", f'"{spec.action}" is not one of {", ".join(ACTIONS)}')
    if not spec.policy.match_expressions:
        return Fault("policy.matchExpressions", "at least one expression is needed")
    for position, expression in enumerate(spec.policy.match_expressions):
        wrong = cel.problem(expression)
        if wrong:
            return Fault(f"policy.matchExpressions[{position}]", wrong)
    return Compiled(Conditions(spec.action == "Allow", spec.policy.match_expressions))


def _encode(conditions: Conditions) -> Encoded:
    matched, otherwise = ("ALLOW", "DENY") if conditions.allows else ("DENY", "ALLOW")
    tests = [_test(each) for each in conditions.expressions]
    predicate = tests[0] if len(tests) == 1 else {"or_matcher": {"predicate": tests}}
    matcher = {
        "matcher_list": {
            "matchers": [{"predicate": predicate, "on_match": decision("conditions", matched)}]
        },
        "on_no_match": decision("otherwise", otherwise),
    }
    return Encoded(filters=((FILTER, HttpRBAC(matcher=matcher)),))


def decision(name: str, action: str) -> dict[str, Any]:
    """What a matcher comes to: ALLOW or DENY, under a name that logs show."""
    return {"action": _extension("envoy.filters.rbac.action", RBACAction(name=name, action=action))}


def _test(expression: str) -> dict[str, Any]:
    matcher = CelMatcher(expr_match={"cel_expr_parsed": {"expr": cel.parsed(expression)}})
    return {
        "single_predicate": {
            "input": _extension("request", HttpAttributesCelMatchInput()),
            "custom_match": _extension("envoy.matching.matchers.cel_matcher", matcher),
        }
    }


def _extension(name: str, config: Message) -> dict[str, Any]:
    return {"name": name, "typed_config": pack(config)}


def _judge(conditions: Conditions, asked: Asked) -> Judgement:
    found = [(each, cel.holds(each, asked)) for each in conditions.expressions]
    true = next((each for each, holds in found if holds), None)
    unknown = next((each for each, holds in found if holds is None), None)
    if true is None and unknown is not None:
        return Judgement(f"only a proxy can tell whether: {unknown}")
    words = f"true of it: {true}" if true else "no expression is true of it"
    return Judgement(words, status=None if bool(true) is conditions.allows else 403)


RBAC = Feature(
    name="rbac",
    stage=Stage.AUTHZ,
    compile=_compile,
    encode=_encode,
    judge=_judge,
    fails_closed=403,
)
