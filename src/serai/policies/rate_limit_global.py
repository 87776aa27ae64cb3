"""A limit that all Envoys keep together, by asking a service that counts.

Envoy: envoy.filters.http.ratelimit.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from serai.api.duration import seconds
from serai.api.extension_reference import ServiceReference
from serai.api.gateway_extension import RateLimitProvider
from serai.api.meta import Key
from serai.api.traffic_policy import Descriptor as DescriptorSpec
from serai.api.traffic_policy import DescriptorEntry, ExtensionReference, GlobalRateLimit
from serai.ir.origin import Value
from serai.model.rate_limits import OWN_CLUSTER, OWN_GROUP, OWN_KIND, own_domain
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
from serai.policies.services import Called, called, grpc_service
from serai.proto.envoy import RateLimit

FILTER = "envoy.filters.http.ratelimit"


class Service(Value, frozen=True):
    """Who counts, and what happens while nobody does."""

    called: Called
    domain: str
    timeout_seconds: float = 0.1
    fail_open: bool = True
    headers: bool = False
    """Whether clients are told of their limit, in x-ratelimit headers."""

    @property
    def is_own(self) -> bool:
        """Whether it is Serai's own."""
        return self.called.cluster == OWN_CLUSTER


class Entry(Value, frozen=True):
    """A pair of a descriptor: with a value, or with what a request has there."""

    key: str
    value: str = ""
    header: str = ""
    """The header (or pseudo-header) whose value it is; a request without it is not counted."""
    remote_address: bool = False


class Limit(Value, frozen=True):
    """What is told of each request, and to whom; to nobody where it is disabled."""

    service: Service | None = None
    descriptors: tuple[tuple[Entry, ...], ...] = ()


def _compile(context: Context, spec: GlobalRateLimit) -> Compiled | Fault:
    if spec.disable is not None:
        return Compiled(Limit())
    if spec.extension_ref is None:
        return Fault("", "one of extensionRef and disable is needed")
    provider = _provider(context, spec.extension_ref)
    if isinstance(provider, Fault):
        return replace(provider, path="extensionRef")
    key, found = provider
    closed = 0 if found.fail_open else 500
    service = _service(context, key, found)
    if isinstance(service, Fault):
        return replace(service, path="extensionRef", status=closed)
    if not spec.descriptors:
        return Fault("descriptors", "at least one is needed", status=closed)
    for position, descriptor in enumerate(spec.descriptors):
        wrong = _wrong(descriptor)
        if wrong:
            return Fault(f"descriptors[{position}].entries", wrong, status=closed)
    entries = tuple(tuple(map(_entry, each.entries)) for each in spec.descriptors)
    return Compiled(Limit(service, entries), (service.called.cluster,))


def _provider(
    context: Context, reference: ExtensionReference
) -> tuple[Key, RateLimitProvider] | Fault:
    namespace = reference.namespace or context.policy.namespace
    key = Key("GatewayExtension", namespace, reference.name)
    extension = context.extension(reference.name, reference.namespace)
    if isinstance(extension, Fault):
        return extension
    found = extension.spec.rate_limit
    return Fault("", f"{key} has no rateLimit") if found is None else (key, found)


def _service(context: Context, key: Key, found: RateLimitProvider) -> Service | Fault:
    timeout = seconds(found.timeout)
    if timeout is None:
        return Fault("", f'{key}: "{found.timeout}" is not a duration such as 100ms')
    if not found.domain:
        return Fault("", f"{key}: domain is empty")
    service = found.grpc_service
    own = service is None or _is_own(service.backend_ref)
    asked = _own(context, key) if service is None or own else called(context, key, service)
    if isinstance(asked, Fault):
        return asked
    return Service(
        called=asked,
        domain=own_domain(key.namespace, found.domain) if own else found.domain,
        timeout_seconds=timeout,
        fail_open=found.fail_open,
        headers=found.x_rate_limit_headers != "Off",
    )


def _is_own(reference: ServiceReference) -> bool:
    return (reference.group, reference.kind) == (OWN_GROUP, OWN_KIND)


def _own(context: Context, key: Key) -> Called | Fault:
    if context.settings.rate_limits_at:
        return Called(OWN_CLUSTER)
    message = "Serai was not told where its own rate limit service is (--rate-limit-service)"
    return Fault("", f"{key}: {message}", "BackendNotFound")


def _wrong(descriptor: DescriptorSpec) -> str:
    if not descriptor.entries:
        return "at least one is needed"
    for entry in descriptor.entries:
        generic, header = entry.type == "Generic", entry.type == "Header"
        if generic != (entry.generic is not None) or header != bool(entry.header):
            return f"type {entry.type} does not go with what is written beside it"
        if entry.generic and not (entry.generic.key and entry.generic.value):
            return "generic needs a key and a value"
    return ""


def _entry(entry: DescriptorEntry) -> Entry:
    match entry.type:
        case "Generic" if entry.generic:
            return Entry(entry.generic.key, value=entry.generic.value)
        case "RemoteAddress":
            return Entry("remote_address", remote_address=True)
        case "Path":
            return Entry("path", header=":path")
        case _:
            return Entry(entry.header or "", header=(entry.header or "").lower())


def _encode(limit: Limit) -> Encoded:
    service = limit.service
    if service is None:
        return Encoded()
    message = RateLimit(
        domain=service.domain,
        timeout=timedelta(seconds=service.timeout_seconds),
        failure_mode_deny=not service.fail_open,
        enable_x_ratelimit_headers="DRAFT_VERSION_03" if service.headers else "OFF",
        rate_limit_service={
            "transport_api_version": "V3",
            "grpc_service": grpc_service(service.called, service.timeout_seconds),
        },
        rate_limits=[{"actions": list(map(_action, each))} for each in limit.descriptors],
    )
    return Encoded(filters=((FILTER, message),))


def _action(entry: Entry) -> dict[str, Any]:
    if entry.remote_address:
        return {"remote_address": {}}
    if entry.header:
        return {"request_headers": {"header_name": entry.header, "descriptor_key": entry.key}}
    return {"generic_key": {"descriptor_key": entry.key, "descriptor_value": entry.value}}


def _judge(limit: Limit, asked: Asked) -> Judgement:
    service = limit.service
    if service is None:
        return Judgement("no limit")
    told = [" ".join(pairs) for each in limit.descriptors if (pairs := _pairs(each, asked))]
    if not told:
        return Judgement(
            f"{service.called.cluster} is not asked: the request has none of what is counted"
        )
    meanwhile = "passes" if service.fail_open else "answers 500"
    who = service.called.cluster
    return Judgement(
        f"{who} is asked, domain {service.domain}: {'; '.join(told)}."
        f" 429 beyond the limit; {meanwhile} while it cannot be asked"
    )


def _pairs(entries: tuple[Entry, ...], asked: Asked) -> list[str]:
    """What is told of a request by one descriptor; nothing where a part is missing."""
    found = [f"{key}={value}" for key, value in _values(entries, asked) if value is not None]
    return found if len(found) == len(entries) else []


def _values(entries: tuple[Entry, ...], asked: Asked) -> Iterator[tuple[str, str | None]]:
    for entry in entries:
        if entry.remote_address:
            yield entry.key, asked.remote or None
        elif entry.header == ":path":
            yield entry.key, asked.path
        elif entry.header:
            yield entry.key, asked.header(entry.header)
        else:
            yield entry.key, entry.value


RATE_LIMIT_GLOBAL = Feature(
    name="rateLimit.global",
    stage=Stage.RATE_LIMIT,
    compile=_compile,
    encode=_encode,
    judge=_judge,
)
