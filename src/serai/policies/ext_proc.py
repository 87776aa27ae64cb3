"""Another that sees requests and answers, and may change them.

Envoy: envoy.filters.http.ext_proc.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from serai.api.duration import seconds
from serai.api.gateway_extension import ExtProcProvider, FilterStage, ProcessingMode
from serai.api.meta import Key
from serai.api.traffic_policy import ExtProcPolicy
from serai.ir.origin import Value
from serai.policies.cel import is_expression
from serai.policies.feature import (
    Asked,
    Compiled,
    Context,
    Encoded,
    Fault,
    Feature,
    Judgement,
    Place,
    Stage,
)
from serai.policies.services import Called, called, grpc_service
from serai.proto.envoy import ExternalProcessor

FILTER = "envoy.filters.http.ext_proc"
USUAL_SECONDS = 0.2
"""Envoy's own, for one message."""
LONGEST_SECONDS = 3600
"""For one message, likewise."""
HEADERS = ("DEFAULT", "SEND", "SKIP")
DUPLEX = "FULL_DUPLEX_STREAMED"
BODIES = ("NONE", "STREAMED", "BUFFERED", "BUFFERED_PARTIAL", DUPLEX)
CACHE = {"FromResponse": "DEFAULT", "Clear": "CLEAR", "Retain": "RETAIN"}
STAGES = {
    "Fault": Stage.FAULT,
    "AuthN": Stage.AUTHN,
    "AuthZ": Stage.AUTHZ,
    "RateLimit": Stage.RATE_LIMIT,
    "Route": Stage.ROUTE,
}
SIDES = {"Before": -1, "During": 0, "After": 1}
USUAL_PLACE = Place(Stage.AUTHZ, 1)


class Mode(Value, frozen=True):
    """What it sees, in Envoy's words, of requests and of answers."""

    request: tuple[str, str, str]
    """Of headers, body and trailers."""
    response: tuple[str, str, str]


class Processor(Value, frozen=True):
    """Who sees requests and answers."""

    service: Called
    extension: Key
    mode: Mode | None = None
    place: Place = USUAL_PLACE
    fail_open: bool = True
    overrides: tuple[Mode, ...] | None = None
    """What it may ask to see instead; empty: anything.  None: nothing."""
    message_seconds: float | None = None
    longest_seconds: float | None = None
    """What it may ask for, for one message."""
    cache: str = "DEFAULT"
    attributes: tuple[str, ...] = ()
    typed: tuple[str, ...] = ()
    untyped: tuple[str, ...] = ()
    """Metadata that it is shown."""
    stat_prefix: str = ""


class Processing(Value, frozen=True):
    """Who sees requests and answers, one after the other; nobody where it is disabled."""

    processors: tuple[Processor, ...] = ()


def _compile(context: Context, spec: ExtProcPolicy) -> Compiled | Fault:
    if spec.disable is not None:
        return Compiled(Processing())
    reference = spec.extension_ref
    if reference is None:
        return Fault("", "one of extensionRef and disable is needed")
    key = Key("GatewayExtension", reference.namespace or context.policy.namespace, reference.name)
    extension = context.extension(reference.name, reference.namespace)
    if isinstance(extension, Fault):
        return replace(extension, path="extensionRef")
    found = extension.spec.ext_proc
    if found is None:
        return Fault("extensionRef", f"{key} has no extProc")
    service = called(context, key, found.grpc_service)
    if isinstance(service, Fault):
        return replace(service, path="extensionRef")
    provider = _provider(found, service, key)
    if isinstance(provider, Fault):
        return Fault("extensionRef", f"{key}: {provider.message}")
    mode = _mode(spec.processing_mode) if spec.processing_mode else None
    if isinstance(mode, Fault):
        return replace(mode, path="processingMode")
    seeing = replace(provider, mode=mode or provider.mode)
    return Compiled(Processing((seeing,)), (service.cluster,))


def _merged(first: Processing, then: Processing) -> Processing:
    """All see them, an extension once, as the first has it; nobody if one of the two disables it.

    So kgateway's deep merge has it.
    """
    if not (first.processors and then.processors):
        return Processing()
    known = {each.extension for each in first.processors}
    more = (each for each in then.processors if each.extension not in known)
    return Processing((*first.processors, *more))


def _provider(found: ExtProcProvider, service: Called, key: Key) -> Processor | Fault:
    mode = _mode(found.processing_mode) if found.processing_mode else None
    others = [_mode(each) for each in found.allowed_processing_mode_overrides]
    place = _place(found.filter_stage)
    wrong = next((each for each in (mode, place, *others) if isinstance(each, Fault)), None)
    if wrong is not None:
        return wrong
    texts = (found.message_timeout, found.max_message_timeout)
    message, longest = (seconds(each) if each else None for each in texts)
    times = zip(texts, (message, longest), strict=True)
    bad = [text for text, time in times if text and not 0 < (time or 0) <= LONGEST_SECONDS]
    if bad:
        return Fault("", f'"{bad[0]}" is not a duration such as 500ms, of an hour at most')
    unreadable = [each for each in found.request_attributes if not is_expression(each)]
    if unreadable:
        return Fault("", f'requestAttributes has no attribute: "{unreadable[0]}"')
    if found.route_cache_action not in CACHE:
        return Fault("", f'"{found.route_cache_action}" is not one of {", ".join(CACHE)}')
    shown = found.metadata_options.forwarding if found.metadata_options else None
    allowed = tuple(each for each in others if isinstance(each, Mode))
    return Processor(
        service=service,
        extension=key,
        mode=mode if isinstance(mode, Mode) else None,
        place=place if isinstance(place, Place) else USUAL_PLACE,
        fail_open=found.fail_open,
        overrides=allowed if found.allow_processing_mode_override else None,
        message_seconds=message,
        longest_seconds=longest,
        cache=CACHE[found.route_cache_action],
        attributes=found.request_attributes,
        typed=shown.typed if shown else (),
        untyped=shown.untyped if shown else (),
        stat_prefix=found.stat_prefix or "",
    )


def _mode(written: ProcessingMode) -> Mode | Fault:
    sides = (
        (written.request_header_mode, written.request_body_mode, written.request_trailer_mode),
        (written.response_header_mode, written.response_body_mode, written.response_trailer_mode),
    )
    for headers, body, trailers in sides:
        known = headers in HEADERS and trailers in HEADERS and body in BODIES
        if not known:
            return Fault("", f"{headers}, {body}, {trailers}: not all of these are modes")
        if body == DUPLEX and trailers != "SEND":
            return Fault("", f"a body that is {DUPLEX} needs its trailers sent: SEND")
    return Mode(*sides)


def _place(written: FilterStage | None) -> Place | Fault:
    if written is None:
        return USUAL_PLACE
    if written.stage not in STAGES or written.predicate not in SIDES:
        return Fault("", f'"{written.predicate} {written.stage}" is no place among the filters')
    if (written.stage, written.predicate) == ("AuthN", "After"):
        return Place(Stage.TOKENS, 1)
    return Place(STAGES[written.stage], SIDES[written.predicate])


def _encode(found: Processing) -> Encoded:
    return Encoded(also=tuple(map(_processor, found.processors)))


def _processor(found: Processor) -> Encoded:
    fields: dict[str, Any] = {}
    if found.mode:
        fields["processing_mode"] = _modes(found.mode)
    if found.overrides is not None:
        fields["allow_mode_override"] = True
        fields["allowed_override_modes"] = [_modes(each) for each in found.overrides]
    if found.longest_seconds is not None:
        fields["max_message_timeout"] = timedelta(seconds=found.longest_seconds)
    if found.typed or found.untyped:
        shown = {"typed": found.typed, "untyped": found.untyped}
        fields["metadata_options"] = {"forwarding_namespaces": shown}
    processor = ExternalProcessor(
        grpc_service=grpc_service(found.service, USUAL_SECONDS),
        failure_mode_allow=found.fail_open,
        message_timeout=timedelta(seconds=found.message_seconds or USUAL_SECONDS),
        route_cache_action=found.cache,
        request_attributes=found.attributes,
        stat_prefix=found.stat_prefix,
        **fields,
    )
    return Encoded(filters=((FILTER, processor),), place=found.place)


def _modes(mode: Mode) -> dict[str, str]:
    return {
        f"{side}_{part}_mode": value
        for side, values in (("request", mode.request), ("response", mode.response))
        for part, value in zip(("header", "body", "trailer"), values, strict=True)
    }


def _judge(found: Processing, _: Asked) -> Judgement:
    seeing = [each.service.cluster for each in found.processors]
    if not seeing:
        return Judgement("nobody sees it")
    who = f"{seeing[0]} sees" if len(seeing) == 1 else f"{', then '.join(seeing)} see"
    more = "may change it or answer it: only a proxy can tell"
    return Judgement(f"{who} it, and {more}")


EXT_PROC = Feature(
    name="extProc",
    stage=Stage.AUTHZ,
    compile=_compile,
    encode=_encode,
    judge=_judge,
    fails_closed=500,
    merge=_merged,
)
