"""Which requests of a route are followed, and what is noted of them.  Envoy: Route.tracing.

Whom spans are sent to is the listener's affair (serai.listener_policies.tracing).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from serai.api.listener_tracing import Tracing
from serai.api.tracing import Attribute, RouteTracing
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

WHOLE = 100
SAMPLINGS = ("client_sampling", "random_sampling", "overall_sampling")


class Followed(Value, frozen=True):
    """What a route says of tracing."""

    asked: RouteTracing


def _compile(_: Context, spec: RouteTracing) -> Compiled | Fault:
    for name, share in sampled(spec):
        if not 0 <= share <= WHOLE:
            return Fault(name, f"{share} is not a percentage")
    fault = attributes_fault(spec.attributes)
    if fault is not None:
        return fault
    others = (*(name for name, _ in sampled(spec)), *(each.name for each in spec.attributes))
    if spec.disable is not None and others:
        return Fault("disable", "it stands alone; what is not followed has no attributes")
    return Compiled(Followed(spec))


def attributes_fault(found: tuple[Attribute, ...]) -> Fault | None:
    """An attribute that says nothing, or two things."""
    for index, each in enumerate(found):
        said = (each.literal, each.environment, each.request_header, each.metadata)
        if sum(one is not None for one in said) != 1:
            words = "one of literal, environment, requestHeader and metadata"
            return Fault(f"attributes[{index}]", f"{each.name} needs {words}")
    return None


def sampled(found: RouteTracing | Tracing) -> Iterator[tuple[str, int]]:
    """The percentages that are given, by the name of Envoy's field."""
    for name in SAMPLINGS:
        share = getattr(found, name)
        if share is not None:
            yield name, share


def encode_attributes(found: tuple[Attribute, ...]) -> list[dict[str, Any]]:
    """Envoy's CustomTags."""
    return [{"tag": each.name, **_source(each)} for each in found]


def _source(found: Attribute) -> dict[str, Any]:
    if found.literal is not None:
        return {"literal": {"value": found.literal.value}}
    for name, named in (
        ("environment", found.environment),
        ("request_header", found.request_header),
    ):
        if named is not None:
            return {name: {"name": named.name, "default_value": named.default_value or ""}}
    metadata = found.metadata
    if metadata is None:
        return {}
    path = [{"key": each.key} for each in metadata.metadata_key.path]
    return {
        "metadata": {
            "kind": {metadata.kind.lower(): {}},
            "metadata_key": {"key": metadata.metadata_key.key, "path": path},
            "default_value": metadata.default_value or "",
        }
    }


def _encode(found: Followed) -> Encoded:
    asked = found.asked
    if asked.disable is not None:
        return Encoded(route={"tracing": {name: {} for name in SAMPLINGS}})
    usual = {name: {"numerator": WHOLE} for name in SAMPLINGS}
    shares = {name: {"numerator": share} for name, share in sampled(asked)}
    tags = encode_attributes(asked.attributes)
    return Encoded(route={"tracing": {**usual, **shares, "custom_tags": tags}})


def _judge(found: Followed, _: Asked) -> Judgement:
    if found.asked.disable is not None:
        return Judgement("it is not followed")
    words = [f"{name.removesuffix('_sampling')} {share}%" for name, share in sampled(found.asked)]
    words += [f"attribute {each.name}" for each in found.asked.attributes]
    return Judgement(", ".join(words) or "as its listener says")


TRACING = Feature(name="tracing", stage=Stage.ROUTE, compile=_compile, encode=_encode, judge=_judge)
