"""CEL in format strings, with its functions of texts."""

from __future__ import annotations

from typing import Any

from serai.proto.ahead import with_field
from serai.proto.envoy import Cel, CelExpressionConfig
from serai.proto.pool import pack

_CEL_CONFIG = 1
"""Cel.cel_config."""


def cel_formatter() -> dict[str, Any]:
    """One of a format string's `formatters`: ``%CEL(...)%`` knows `string` and `split`."""
    config = CelExpressionConfig(enable_string_conversion=True, enable_string_functions=True)
    cel = with_field(Cel(), _CEL_CONFIG, config.SerializeToString())
    return {"name": "envoy.formatter.cel", "typed_config": pack(cel)}
