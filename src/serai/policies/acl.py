"""Clients that their addresses allow or deny.  Envoy: envoy.filters.http.rbac.

The address is the client's as far as the connection or x-forwarded-for tell, as for rate limits.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

from serai.api import traffic_auth
from serai.api.syntax import is_header_name
from serai.api.traffic_auth import ACLDenyResponse
from serai.ir.origin import Value
from serai.model.addresses import canonical
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
from serai.policies.script import quoted, script
from serai.proto.envoy import HttpRBAC, IPMatcher, RBACAction, SourceIPInput
from serai.proto.pool import pack

FILTER = "envoy.filters.http.rbac"
ACTIONS = ("allow", "deny")
OTHERWISE, UNNAMED = "default", "rule"
"""What blocked a client that no rule names, or one without a name."""


class Range(Value, frozen=True):
    """Addresses that are allowed or denied, and what for."""

    cidr: str
    allows: bool
    name: str


class Refusal(Value, frozen=True):
    """What those get that are denied."""

    status: int = 403
    headers: tuple[tuple[str, str], ...] = ()
    names_rule: str = ""
    """A header that tells what blocked the client."""


class Addresses(Value, frozen=True):
    """Of the ranges that have an address the narrowest decides."""

    allows: bool
    """All others."""
    ranges: tuple[Range, ...]
    refusal: Refusal = Refusal()


def _compile(_: Context, spec: traffic_auth.ACL) -> Compiled | Fault:
    if spec.default_action not in ACTIONS:
        return Fault("defaultAction", f'"{spec.default_action}" is not one of allow, deny')
    found: dict[str, Range] = {}
    for position, rule in enumerate(spec.rules):
        path = f"rules[{position}]"
        if rule.action not in ACTIONS:
            return Fault(f"{path}.action", f'"{rule.action}" is not one of allow, deny')
        if not rule.name.isprintable():
            return Fault(f"{path}.name", "a name is one line of text")
        for number, text in enumerate(rule.cidrs):
            cidr = canonical(text)
            if cidr is None:
                return Fault(f"{path}.cidrs[{number}]", f'"{text}" is no address and no range')
            found.setdefault(cidr, Range(cidr, rule.action == "allow", rule.name or UNNAMED))
    refusal = _refusal(spec.deny_response)
    if isinstance(refusal, Fault):
        return refusal
    return Compiled(Addresses(spec.default_action == "allow", tuple(found.values()), refusal))


def _refusal(written: ACLDenyResponse | None) -> Refusal | Fault:
    if written is None:
        return Refusal()
    if not 200 <= written.status_code <= 599:  # noqa: PLR2004  what ends a request
        return Fault("denyResponse.statusCode", f"{written.status_code} ends no request")
    name = written.blocked_by_header_name or ""
    for each in (*(header.name for header in written.headers), *([name] if name else [])):
        if not is_header_name(each):
            return Fault("denyResponse", f'"{each}" is no name of a header')
    if not all(each.value.isprintable() for each in written.headers):
        return Fault("denyResponse.headers", "a header's value is one line of text")
    headers = tuple((each.name.lower(), each.value) for each in written.headers)
    return Refusal(written.status_code, headers, name.lower())


def _encode(found: Addresses) -> Encoded:
    ranges = [
        {"ranges": [_prefix(each.cidr)], "on_match": _decision(each.name, allows=each.allows)}
        for each in found.ranges
    ]
    otherwise = _decision(OTHERWISE, allows=found.allows)
    matcher: dict[str, Any] = {"on_no_match": otherwise}
    if ranges:
        matcher["matcher_tree"] = {
            "input": {"name": "client", "typed_config": pack(SourceIPInput())},
            "custom_match": {
                "name": "ranges",
                "typed_config": pack(IPMatcher(range_matchers=ranges)),
            },
        }
    if found.refusal == Refusal():
        return Encoded(filters=((FILTER, HttpRBAC(matcher=matcher)),))
    asked = HttpRBAC(shadow_matcher=matcher, shadow_rules_stat_prefix=_PREFIX)
    return Encoded(filters=((FILTER, asked), script(_answering(found.refusal))))


def _prefix(cidr: str) -> dict[str, Any]:
    network = ip_network(cidr)
    return {
        "address_prefix": str(network.network_address),
        "prefix_len": {"value": network.prefixlen},
    }


def _decision(name: str, *, allows: bool) -> dict[str, Any]:
    action = RBACAction(name=name, action="ALLOW" if allows else "DENY")
    return {"action": {"name": "decision", "typed_config": pack(action)}}


def _answering(refusal: Refusal) -> str:
    """Answers as asked, where the filter before it would deny."""
    pairs = ", ".join(f"[{quoted(name)}] = {quoted(value)}" for name, value in refusal.headers)
    named = quoted(refusal.names_rule)
    return f"local status, headers, named = {refusal.status}, {{{pairs}}}, {named}\n{_ANSWER}"


_PREFIX = "serai.acl."
_ANSWER = """
function envoy_on_request(handle)
  local found = handle:streamInfo():dynamicMetadata():get("envoy.filters.http.rbac") or {}
  if found["serai.acl.shadow_engine_result"] == "allowed" then return end
  local answer = {[":status"] = tostring(status)}
  for name, value in pairs(headers) do answer[name] = value end
  if named ~= "" then answer[named] = found["serai.acl.shadow_effective_policy_id"] end
  handle:respond(answer, "RBAC: access denied")
end
"""


def _judge(found: Addresses, asked: Asked) -> Judgement:
    rule = _narrowest(found, asked.remote)
    allows, name = (rule.allows, rule.name) if rule else (found.allows, OTHERWISE)
    if allows:
        return Judgement(f"{asked.remote} is allowed: {name}")
    refusal = found.refusal
    headers = refusal.headers
    if refusal.names_rule:
        headers = (*headers, (refusal.names_rule, name))
    return Judgement(f"{asked.remote} is denied: {name}", status=refusal.status, headers=headers)


def _narrowest(found: Addresses, address: str) -> Range | None:
    client = ip_address(address)
    mapped = getattr(client, "ipv4_mapped", None)
    client = mapped or client
    holding = [each for each in found.ranges if client in ip_network(each.cidr)]
    return max(holding, key=lambda each: ip_network(each.cidr).prefixlen, default=None)


ACL = Feature(
    name="acl",
    stage=Stage.FAULT,
    compile=_compile,
    encode=_encode,
    judge=_judge,
    fails_closed=403,
)
