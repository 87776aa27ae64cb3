"""ir.Format -> SubstitutionFormatString."""

from __future__ import annotations

from typing import Any

import msgspec

from serai.ir.format import Format


def substitution(found: Format) -> dict[str, Any]:
    """A text, or a JSON object, that Envoy fills in."""
    kind = {"content_type": found.content_type} if found.content_type else {}
    if found.json:
        return {"json_format": msgspec.json.decode(found.json), **kind}
    return {"text_format_source": {"inline_string": found.text}, **kind}
