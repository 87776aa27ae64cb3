"""How large a request may be; it is taken in whole before it is sent on.

Envoy: envoy.filters.http.buffer.
"""

from __future__ import annotations

import re

from serai.api.traffic_shaping import Buffer as Spec
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
from serai.proto.envoy import Buffer

FILTER = "envoy.filters.http.buffer"
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_QUANTITY = re.compile(r"([0-9]+)(|k|M|G|Ki|Mi|Gi)")
_TOO_LARGE = 4 * 2**30


class Limit(Value, frozen=True):
    """The largest body that is taken, in bytes; 0: any."""

    largest: int = 0


def _bytes(quantity: int | str) -> int | None:
    """A whole number of bytes, as Kubernetes writes quantities; None if it is none."""
    found = _QUANTITY.fullmatch(str(quantity))
    return int(found[1]) * _UNITS[found[2]] if found else None


def _compile(_: Context, spec: Spec) -> Compiled | Fault:
    if spec.disable is not None:
        return Compiled(Limit())
    if spec.max_request_size is None:
        return Fault("", "maxRequestSize or disable must be set")
    largest = _bytes(spec.max_request_size)
    if not largest or largest >= _TOO_LARGE:
        message = f'"{spec.max_request_size}" is not a size below 4Gi such as 1Mi'
        return Fault("maxRequestSize", message)
    return Compiled(Limit(largest))


def _encode(limit: Limit) -> Encoded:
    if not limit.largest:
        return Encoded()
    return Encoded(filters=((FILTER, Buffer(max_request_bytes={"value": limit.largest})),))


def _judge(limit: Limit, _: Asked) -> Judgement:
    if not limit.largest:
        return Judgement("no limit")
    return Judgement(f"bodies of up to {limit.largest} bytes; 413 beyond")


BUFFER = Feature(name="buffer", stage=Stage.ROUTE, compile=_compile, encode=_encode, judge=_judge)
