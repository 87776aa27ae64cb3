"""What the statistics of a route are called.  Envoy: Route.stat_prefix."""

from __future__ import annotations

import re2

from serai.ir.origin import Value
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

NAME = re2.compile(r"([a-zA-Z0-9_%.-]|\{\{\s*(route_name|route_namespace|rule_name)\s*\}\})+")
LONGEST = 256


class StatPrefix(Value, frozen=True):
    """A name, with the names of the route and its rule put in."""

    template: str


def _compile(_: Context, written: str) -> Compiled | Fault:
    if len(written) > LONGEST or not NAME.fullmatch(written):
        known = "letters, digits, _ % . - and {{route_name}}, {{route_namespace}}, {{rule_name}}"
        return Fault("", f'"{written[:80]}" is made of other things than {known}')
    return Compiled(StatPrefix(written))


def _encode(_: StatPrefix) -> Encoded:
    """It is the route's own, whose names it takes."""
    return Encoded()


def _judge(prefix: StatPrefix, _: Asked) -> Judgement:
    return Judgement(f"counted as {prefix.template}")


STAT_PREFIX = Feature(
    name="statPrefix", stage=Stage.ROUTE, compile=_compile, encode=_encode, judge=_judge
)
