"""How the admin API answers: JSON that says its version and kind, and errors with a remedy."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from serai.views.row import API_VERSION


def answered(kind: str, plain: dict[str, Any], status: int = 200) -> Response:
    """Plain values, as indented JSON."""
    return as_json({"apiVersion": API_VERSION, "kind": kind, **plain}, status)


def refused(status: int, message: str, *, reason: str = "", remedy: str = "") -> Response:
    """Why there is no answer."""
    more = {"reason": reason, "remedy": remedy}
    said = {name: text for name, text in more.items() if text}
    return answered("Error", {"message": message, **said}, status)


def as_json(value: Any, status: int = 200) -> Response:
    """Anything that msgspec writes, indented."""
    body = msgspec.json.format(msgspec.json.encode(value), indent=2)
    return Response(body, status, media_type="application/json")
