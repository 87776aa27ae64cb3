"""Asking another whether a request may pass.  Envoy: envoy.filters.http.ext_authz."""

from __future__ import annotations

from msgspec.structs import replace

from serai.api.meta import Key
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


class Question(Value, frozen=True):
    """Whom to ask, and what questions say beside the request."""

    asks: ExtAuth
    contexts: tuple[tuple[str, str], ...] = ()
    extension: Key | None = None
    """The GatewayExtension that says so; None: a route itself."""


class Asking(Value, frozen=True):
    """Whom to ask, in this order, until one refuses; nobody where it is disabled."""

    questions: tuple[Question, ...] = ()


def _compile(context: Context, spec: ExtAuthPolicy) -> Compiled | Fault:
    if spec.disable is not None:
        return Compiled(Asking())
    if spec.extension_ref is None:
        return Fault("", "one of extensionRef and disable is needed")
    name, namespace = spec.extension_ref.name, spec.extension_ref.namespace
    found = ext_auth(context, name, namespace)
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
    key = Key("GatewayExtension", namespace or context.policy.namespace, name)
    return Compiled(Asking((Question(found, contexts, key),)), (found.service.cluster,))


def _merged(first: Asking, then: Asking) -> Asking:
    """All are asked, an extension once, as the first has it; nobody if one of the two disables it.

    So kgateway's deep merge has it.  What a route says of itself no policy adds to.
    """
    if any(each.extension is None for each in first.questions):
        return first
    if not (first.questions and then.questions):
        return Asking()
    known = {each.extension for each in first.questions}
    more = (each for each in then.questions if each.extension not in known)
    return Asking((*first.questions, *more))


def _encode(asking: Asking) -> Encoded:
    return Encoded(also=tuple(map(_question, asking.questions)))


def _question(found: Question) -> Encoded:
    settings = {"context_extensions": dict(found.contexts)}
    outer = ExtAuthzPerRoute(check_settings=settings) if found.contexts else None
    return Encoded(filters=(http_filter(found.asks),), outer=outer)


def _needs_backend(asking: Asking) -> str:
    if not any(each.contexts for each in asking.questions):
        return ""
    return "extAuth cannot say its contextExtensions where nothing is sent on"


def _judge(asking: Asking, _: Asked) -> Judgement:
    asked = [each.asks.service.cluster for each in asking.questions]
    if not asked:
        return Judgement("nobody is asked")
    whom = f"{asked[0]} is" if len(asked) == 1 else f"{', then '.join(asked)} are"
    return Judgement(f"{whom} asked, which may refuse it")


EXT_AUTH = Feature(
    name="extAuth",
    stage=Stage.AUTHN,
    compile=_compile,
    encode=_encode,
    judge=_judge,
    fails_closed=500,
    needs_backend=_needs_backend,
    merge=_merged,
)
