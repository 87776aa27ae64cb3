"""Who may call: Istio's AuthorizationPolicy.  Envoy: envoy.filters.http.rbac, and for TCP network.

All policies that apply count together.  First CUSTOM asks whom it names about what its rules
match; then AUDIT marks requests; then nothing may match a DENY; then, where there is any ALLOW,
one of its rules must match.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from serai.api.security import DRY_RUN, AuthorizationPolicy
from serai.ir.origin import Value
from serai.policies.authorization.encode import encode_rule
from serai.policies.authorization.gate import gate
from serai.policies.authorization.judge import matches
from serai.policies.authorization.predicate import Rule
from serai.policies.authorization.rules import Scope, http_rules, tcp_rules
from serai.policies.extension import ExtAuth, ext_auth, http_filter, network_filter
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
from serai.proto.envoy import HttpRBAC, HttpRBACPerRoute, NetworkRBAC

HTTP, NETWORK = "envoy.filters.http.rbac", "envoy.filters.network.rbac"
DECIDING = ("AUDIT", "DENY", "ALLOW")
"""The actions that Envoy decides on by itself, in this order."""
FILTERS = {action: f"serai.authorization.{action.lower()}" for action in DECIDING}
"""Their filters in every connection manager, which do nothing but what a route says."""
ACTIONS = ("ALLOW", "DENY", "AUDIT", "CUSTOM")
_LOG = {"AUDIT": "LOG"}
_ASKED_OF = "istio_ext_authz_"
FORBIDDEN = 403


class Authorization(Value, frozen=True):
    """One policy."""

    name: str
    action: str
    rules: tuple[Rule, ...]
    tcp_rules: tuple[Rule, ...]
    dry_run: bool = False
    provider: str = ""
    """Of CUSTOM."""
    asks: ExtAuth | None = None


def _compile(context: Context, policy: AuthorizationPolicy) -> Compiled | Fault:
    found = _understood(context, policy)
    if isinstance(found, Fault) and (_is_tried(policy) or policy.spec.action == "AUDIT"):
        fault = replace(found, message=f"{found.message}; it decides nothing, and is left out")
        return Compiled(Authorization(context.policy.name, "", (), ()), faults=(fault,))
    return found


def _is_tried(policy: AuthorizationPolicy) -> bool:
    return policy.metadata.annotations.get(DRY_RUN, "").lower() == "true"


def _understood(context: Context, policy: AuthorizationPolicy) -> Compiled | Fault:
    spec, key, settings = policy.spec, context.policy, context.settings
    if spec.action not in ACTIONS:
        return Fault("action", f'"{spec.action}" is not one of {", ".join(ACTIONS)}')
    scope = Scope(key.namespace, settings.trust_domain, settings.trust_domain_aliases)
    rules = http_rules(spec.rules, scope)
    if isinstance(rules, Fault):
        return rules
    value = Authorization(
        name=f"ns[{key.namespace}]-policy[{key.name}]",
        action=spec.action,
        rules=rules,
        tcp_rules=tcp_rules(spec.rules, scope, allowing=spec.action == "ALLOW"),
        dry_run=_is_tried(policy),
    )
    return _custom(context, policy, value) if spec.action == "CUSTOM" else Compiled(value)


def _custom(context: Context, policy: AuthorizationPolicy, value: Authorization) -> Compiled:
    """Who is to be asked, and cannot be found, says no to what the rules match."""
    name = policy.spec.provider.name if policy.spec.provider else ""
    found = ext_auth(context, name, context.settings.root_namespace)
    fields = {each: getattr(value, each) for each in value.__struct_fields__}
    if isinstance(found, Fault):
        message = f"{found.message}; what its rules match is denied until then"
        denied = Authorization(**{**fields, "action": "DENY"})
        return Compiled(denied, faults=(Fault("provider.name", message, "Invalid"),))
    asking = Authorization(**{**fields, "provider": name, "asks": found})
    return Compiled(asking, (found.service.cluster,))


def _encode(policies: tuple[Authorization, ...]) -> Encoded:
    return Encoded(
        filters=tuple(_asking(policies, http=True)),
        per_route=tuple(
            (FILTERS[action], HttpRBACPerRoute(rbac=HttpRBAC(**fields)))
            for action, fields in _deciding(policies, http=True)
        ),
        network=(
            *_gate(policies),
            *_asking(policies, http=False),
            *(_rbac(fields, http=False) for _, fields in _deciding(policies, http=False)),
        ),
    )


def _gate(policies: tuple[Authorization, ...]) -> Iterator[tuple[str, Any]]:
    """What decides when a connection begins, which the other filters do when it says something."""
    enforced = [each for each in policies if not each.dry_run]
    allowing = [each for each in enforced if each.action == "ALLOW"]
    denying = [each for each in enforced if each.action == "DENY" or _asks_in_vain(each)]
    found = gate(
        [rule for each in denying for rule in each.tcp_rules],
        [rule for each in allowing for rule in each.tcp_rules] if allowing else None,
    )
    if found:
        yield found


def _asks_in_vain(policy: Authorization) -> bool:
    """Who is asked by HTTP cannot be asked about bytes, so the answer is no."""
    return policy.asks is not None and not policy.asks.grpc


def tried_prefix(action: str) -> str:
    """Of the statistics of what is only tried.

    Of requests Envoy takes it from the filter in the connection manager, not from routes.
    """
    return f"istio_dry_run_{action.lower()}_"


def _deciding(
    policies: tuple[Authorization, ...], *, http: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    for action in DECIDING:
        mine = [each for each in policies if each.action == action]
        enforced = [each for each in mine if not each.dry_run]
        tried = [each for each in mine if each.dry_run]
        fields: dict[str, Any] = {}
        if enforced:
            fields["rules"] = _rules(enforced, action, http=http)
        if tried:
            fields["shadow_rules"] = _rules(tried, action, http=http)
            fields["shadow_rules_stat_prefix"] = tried_prefix(action)
        if fields:
            yield action, fields


def _asking(policies: tuple[Authorization, ...], *, http: bool) -> list[tuple[str, Any]]:
    """For each provider a filter that marks what it is asked about, and one that asks."""
    found: list[tuple[str, Any]] = []
    mine = [each for each in policies if each.asks and not each.dry_run]
    for provider in dict.fromkeys(each.provider for each in mine):
        of_provider = [each for each in mine if each.provider == provider]
        asks = of_provider[0].asks
        if asks is None or not (http or not _asks_in_vain(of_provider[0])):
            found.append(_rbac({"rules": _rules(of_provider, "DENY", http=http)}, http=http))
            continue
        prefix = f"istio-ext-authz-{provider}-"
        marked = _rules(of_provider, "DENY", http=http, prefix=prefix)
        fields = {"shadow_rules": marked, "shadow_rules_stat_prefix": _ASKED_OF}
        marker = _rbac(fields, http=http)
        key = f"{_ASKED_OF}shadow_effective_policy_id"
        found += [marker, (http_filter if http else network_filter)(asks, marker[0], key, prefix)]
    return found


def _rules(
    policies: list[Authorization], action: str, *, http: bool, prefix: str = ""
) -> dict[str, Any]:
    return {
        "action": _LOG.get(action, action),
        "policies": {
            f"{prefix}{each.name}-rule[{rule.number}]": encode_rule(rule)
            for each in policies
            for rule in (each.rules if http else each.tcp_rules)
        },
    }


def _rbac(fields: dict[str, Any], *, http: bool) -> tuple[str, Any]:
    if http:
        return HTTP, HttpRBAC(**fields)
    return NETWORK, NetworkRBAC(stat_prefix="tcp.", **fields)


def _judge(policies: tuple[Authorization, ...], asked: Asked) -> Judgement:
    enforced = [each for each in policies if not each.dry_run]
    denied = _first(enforced, "DENY", asked)
    if denied:
        return Judgement(f"{_who(asked)} is denied by {denied}", FORBIDDEN)
    allowing = [each for each in enforced if each.action == "ALLOW"]
    allowed = _first(allowing, "ALLOW", asked)
    if allowing and not allowed:
        return Judgement(f"{_who(asked)} is allowed by none of {len(allowing)}", FORBIDDEN)
    return Judgement("; ".join(_words(policies, allowed, asked)))


def _words(policies: tuple[Authorization, ...], allowed: str, asked: Asked) -> list[str]:
    words = [f"{_who(asked)} is allowed by {allowed}" if allowed else "nothing denies it"]
    asking = _first(list(policies), "CUSTOM", asked)
    words += [f"{asking} asks another"] if asking else []
    audited = _first(list(policies), "AUDIT", asked)
    words += [f"{audited} marks it"] if audited else []
    for action, would in (("DENY", "denied"), ("ALLOW", "allowed")):
        tried = _first([each for each in policies if each.dry_run], action, asked)
        words += [f"would be {would} by {tried}, which is tried only"] if tried else []
    return words


def _first(policies: list[Authorization], action: str, asked: Asked) -> str:
    """The first rule of an action that matches, by its name."""
    for each in policies:
        for rule in (each.rules if asked.http else each.tcp_rules) if each.action == action else ():
            if matches(rule, asked):
                return f"{each.name}-rule[{rule.number}]"
    return ""


def _who(asked: Asked) -> str:
    return asked.principal or "a caller without an identity"


AUTHORIZATION = Feature(
    name="AuthorizationPolicy",
    # What it brings along asks others, after tokens were looked at; its own filters decide.
    stage=Stage.AUTHN,
    compile=_compile,
    encode=_encode,
    judge=_judge,
    fails_closed=FORBIDDEN,
    additive=True,
)
