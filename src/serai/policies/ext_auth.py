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
from serai.proto.envoy import ExtAuthzPerRoute


class Asking(Value, frozen=True):
    """Whom to ask; nobody where it is disabled."""

    asks: ExtAuth | None = None
    contexts: tuple[tuple[str, str], ...] = ()
    """What questions say beside the request."""


def _compile(context: Context, spec: ExtAuthPolicy) -> Compiled | Fault:
    if spec.disable is not None:
        return Compiled(Asking())
    if spec.extension_ref is None:
        return Fault("", "one of extensionRef and disable is needed")
    found = ext_auth(context, spec.extension_ref.name, spec.extension_ref.namespace)
    if isinstance(found, Fault):
        return replace(found, path="extensionRef")
    if spec.context_extensions and not found.grpc:
        words = "questions by HTTP cannot carry them: use a grpcService, or headersToAdd of it"
        return Fault("contextExtensions", words)
    body = spec.with_request_body
    if body is not None:
        shown = Body(body.max_request_bytes, body.allow_partial_message, body.pack_as_bytes)
        found = replace(found, body=shown)
    contexts = tuple(sorted(spec.context_extensions.items()))
    return Compiled(Asking(found, contexts), (found.service.cluster,))


def _encode(asking: Asking) -> Encoded:
    if asking.asks is None:
        return Encoded()
    settings = {"context_extensions": dict(asking.contexts)}
    outer = ExtAuthzPerRoute(check_settings=settings) if asking.contexts else None
    return Encoded(filters=(http_filter(asking.asks),), outer=outer)


def _needs_backend(asking: Asking) -> str:
    if not asking.contexts:
        return ""
    return "extAuth cannot say its contextExtensions where nothing is sent on"


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
    needs_backend=_needs_backend,
)
