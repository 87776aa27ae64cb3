"""Parts of rules that say nothing, which would match everybody where somebody was meant.

Istio: its validation of an AuthorizationPolicy, which a folder of manifests has not gone through.
"""

from __future__ import annotations

from serai.api.security import AuthorizationCondition, Operation, Rule, Source


class Unusable(Exception):  # noqa: N818  # never leaves this folder
    """A value that cannot be used; carries what is wrong with it."""


def refuse_empty(rule: Rule) -> None:
    """Raise Unusable where a part of the rule is there, and empty."""
    for name, parts in (("from", rule.from_), ("to", rule.to)):
        if parts == ():
            raise Unusable(f"{name} has no entry; leave it out, or write whom it is for")
    for index, origin in enumerate(rule.from_ or ()):
        _refuse(f"from[{index}].source", origin.source)
    for index, purpose in enumerate(rule.to or ()):
        _refuse(f"to[{index}].operation", purpose.operation)
    for index, condition in enumerate(rule.when):
        _refuse(f"when[{index}]", condition)


def _refuse(path: str, part: Source | Operation | AuthorizationCondition) -> None:
    held = [getattr(part, each) for each in part.__struct_fields__ if each != "key"]
    if not any(held):
        raise Unusable(f"{path} has no value, and would be for everybody")
    if any("" in values for values in held):
        raise Unusable(f"{path} has an empty value; * is for any")
