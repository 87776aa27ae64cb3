"""kgateway's DirectResponse: what a rule answers by itself.  Also how answers are formatted."""

from __future__ import annotations

from typing import Any

from serai.api.meta import Object, Struct


class BodyFormat(Struct, frozen=True):
    """A body with Envoy's operators in it, such as ``%REQ(:path)%``: one of text and json."""

    text: str | None = None
    json: dict[str, Any] | None = None
    content_type: str | None = None
    """Left out: text/plain, or application/json."""


class DirectResponseSpec(Struct, frozen=True):
    """DirectResponse.spec."""

    status: int
    body: str | None = None
    body_format: BodyFormat | None = None


class DirectResponse(Object, frozen=True):
    """gateway.kgateway.dev/v1alpha1 DirectResponse."""

    spec: DirectResponseSpec
