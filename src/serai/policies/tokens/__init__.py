"""Who calls, by what a token says.  Envoy: envoy.filters.http.jwt_authn.

Two kinds of policies ask for it.  Istio's RequestAuthentications add up: a token that cannot be
trusted is refused, no token passes, and an AuthorizationPolicy decides who must have one.  Of
kgateway's, spec.jwtAuth of a TrafficPolicy, the most specific counts; and who logged in may have to
have got good tokens (spec.oauth2).  Where several apply, all must let a request pass.
"""

from __future__ import annotations

from collections.abc import Iterable

from serai.api.request_authentication import RequestAuthentication
from serai.api.traffic_policy import JWTAuth
from serai.ir.leaf import Leaf
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
from serai.policies.tokens.encode import encode_tokens
from serai.policies.tokens.from_extension import tokens_of_extension
from serai.policies.tokens.from_rules import tokens_of_rules
from serai.policies.tokens.judge import judge
from serai.policies.tokens.requirement import Requirement, Tokens, Verifying, added_up


def _from_rules(context: Context, policy: RequestAuthentication) -> Compiled | Fault:
    return tokens_of_rules(context, policy.spec.jwt_rules)


def _from_extension(context: Context, spec: JWTAuth) -> Compiled | Fault:
    return tokens_of_extension(context, spec)


def _encode_all(found: tuple[Tokens, ...]) -> Encoded:
    return encode_tokens(added_up(found))


def _judge_all(found: tuple[Tokens, ...], asked: Asked) -> Judgement:
    return judge(added_up(found), asked)


JWT_AUTH = Feature(
    name="jwtAuth",
    stage=Stage.TOKENS,
    compile=_from_extension,
    encode=encode_tokens,
    judge=judge,
    fails_closed=500,
)

REQUEST_AUTHENTICATION = Feature(
    name="RequestAuthentication",
    stage=Stage.TOKENS,
    compile=_from_rules,
    encode=_encode_all,
    judge=_judge_all,
    fails_closed=401,
    additive=True,
)


LOG_IN = "oauth2"
TOKEN_FEATURES = frozenset({JWT_AUTH.name, REQUEST_AUTHENTICATION.name, LOG_IN})
"""Those that ask something of tokens; a log-in of those that it gave."""


def requirement(leaves: Iterable[Leaf], *, clears: bool = False) -> Requirement | None:
    """What all leaves in force at one place ask of tokens, together; None if nothing.

    `clears`: whether routes there are chosen by what tokens claim.
    """
    found = list(leaves)
    traffic = [each.value for each in found if each.feature == JWT_AUTH.name]
    istio = [each.value for each in found if each.feature == REQUEST_AUTHENTICATION.name]
    logged_in = (each.value for each in found if each.feature == LOG_IN)
    parts = [one for each in logged_in if isinstance(each, Verifying) for one in each.verified]
    parts += [each for each in traffic if isinstance(each, Tokens)]
    parts.append(added_up(tuple(each for each in istio if isinstance(each, Tokens))))
    asked = tuple(each for each in parts if each.providers)
    return Requirement(asked, clears) if asked else None
