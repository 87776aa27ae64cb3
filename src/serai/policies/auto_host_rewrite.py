"""Endpoints are asked for by their own DNS names.  Envoy: RouteAction.auto_host_rewrite."""

from __future__ import annotations

from serai.ir.origin import Value
from serai.policies.feature import Asked, Compiled, Context, Encoded, Feature, Judgement, Stage


class OwnName(Value, frozen=True):
    """Whether the Host becomes the name that the endpoint was found by."""

    wanted: bool


def _compile(_: Context, wanted: bool) -> Compiled:  # noqa: FBT001  what the field holds
    return Compiled(OwnName(wanted))


def _encode(own: OwnName) -> Encoded:
    return Encoded(action={"auto_host_rewrite": {"value": True}} if own.wanted else {})


def _judge(own: OwnName, _: Asked) -> Judgement:
    return Judgement("the endpoint's own name" if own.wanted else "the host as it is")


AUTO_HOST_REWRITE = Feature(
    name="autoHostRewrite", stage=Stage.ROUTE, compile=_compile, encode=_encode, judge=_judge
)
