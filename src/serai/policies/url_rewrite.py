"""A new path by a regular expression.  Envoy: RouteAction.regex_rewrite."""

from __future__ import annotations

import re2

from serai.api.regex import regex_problem
from serai.api.traffic_shaping import URLRewrite as Spec
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


class PathRegex(Value, frozen=True):
    """What is found in the path, and what takes its place."""

    pattern: str
    substitution: str


def _compile(_: Context, spec: Spec) -> Compiled | Fault:
    path = spec.path_regex
    if path is None:
        return Fault("", "pathRegex must be set")
    problem = regex_problem(path.pattern)
    if problem:
        return Fault("pathRegex.pattern", problem)
    return Compiled(PathRegex(path.pattern, path.substitution))


def _encode(path: PathRegex) -> Encoded:
    rewrite = {"pattern": {"regex": path.pattern}, "substitution": path.substitution}
    return Encoded(action={"regex_rewrite": rewrite})


def _judge(path: PathRegex, asked: Asked) -> Judgement:
    bare, _, _ = asked.path.partition("?")
    try:
        found = re2.sub(path.pattern, path.substitution, bare)
    except re2.error:
        found = bare
    return Judgement(f"asked for as {found}", path=found)


URL_REWRITE = Feature(
    name="urlRewrite", stage=Stage.ROUTE, compile=_compile, encode=_encode, judge=_judge
)
