"""Asking another whether a request may pass.  Envoy: envoy.filters.http.ext_authz."""

from __future__ import annotations

from msgspec.structs import replace

from serai.api.traffic_policy import ExtAuthPolicy
from serai.ir.origin import Value
from serai.policies.extension import Body, ExtAuth, ext_auth, http_filter
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


class Asking(Value, frozen=True):
    """Whom to ask; nobody where it is disabled."""

    asks: ExtAuth | None = None


def _compile(context: Context, spec: ExtAuthPolicy) -> Compiled | Fault:
    if spec.disable is not None:
        return Compiled(Asking())
    if spec.extension_ref is None:
        return Fault("", "one of extensionRef and disable is needed")
    if spec.context_extensions:
        # Per route, and Envoy asks for those of the slot that runs the filter.
        words = "questions cannot carry them; whom is asked may decide otherwise without"
        return Fault("contextExtensions", words)
    found = ext_auth(context, spec.extension_ref.name, spec.extension_ref.namespace)
    if isinstance(found, Fault):
        return replace(found, path="extensionRef")
    body = spec.with_request_body
    if body is not None:
        shown = Body(body.max_request_bytes, body.allow_partial_message, body.pack_as_bytes)
        found = replace(found, body=shown)
    return Compiled(Asking(found), (found.service.cluster,))


def _encode(asking: Asking) -> Encoded:
    return Encoded(filters=(http_filter(asking.asks),)) if asking.asks else Encoded()


def _judge(asking: Asking, _: Asked) -> Judgement:
    if asking.asks is None:
        return Judgement("nobody is asked")
    return Judgement(f"{asking.asks.service.cluster} is asked, which may refuse it")


EXT_AUTH = Feature(
    name="extAuth",
    stage=Stage.AUTHN,
    compile=_compile,
    encode=_encode,
    judge=_judge,
    fails_closed=500,
)
