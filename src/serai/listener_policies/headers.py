"""Headers that Envoy itself writes or changes, before routes are chosen and after.

Envoy: HttpConnectionManager, UuidRequestIdConfig, early_header_mutation.
"""

from __future__ import annotations

from typing import Any

from serai.api.httproute import HTTPHeaderFilter
from serai.api.listener_policy import ForwardClientCertDetails, UuidRequestIdConfig
from serai.api.syntax import is_changeable_header, is_header_value
from serai.ir.origin import Value
from serai.ir.route import HeaderMutations
from serai.listener_policies.setting import Changes, Plain, Setting, plain
from serai.policies.feature import Compiled, Context, Fault
from serai.proto.envoy import UuidRequestIdConfig as UuidConfig
from serai.proto.pool import pack

_SERVER = {
    "Overwrite": "OVERWRITE",
    "AppendIfAbsent": "APPEND_IF_ABSENT",
    "PassThrough": "PASS_THROUGH",
}
_FORWARD = {
    "Sanitize": "SANITIZE",
    "ForwardOnly": "FORWARD_ONLY",
    "AppendForward": "APPEND_FORWARD",
    "SanitizeSet": "SANITIZE_SET",
    "AlwaysForwardOnly": "ALWAYS_FORWARD_ONLY",
}
_WITH_DETAILS = frozenset({"AppendForward", "SanitizeSet"})
_STRIP = {"MatchingPort": "strip_matching_host_port", "AnyPort": "strip_any_host_port"}

KEEP_ID = plain(
    "preserveExternalRequestId",
    "preserve_external_request_id",
    lambda keep: {"preserve_external_request_id": keep},
)
MAKE_ID = plain(
    "generateRequestId",
    "generate_request_id",
    lambda make: {"generate_request_id": {"value": make}},
)
SERVER = plain(
    "serverHeaderTransformation",
    "server_header_transformation",
    lambda how: {"server_header_transformation": _SERVER[how]},
)


def _server_name(_: Context, written: str) -> Compiled | Fault:
    if not is_header_value(written):
        return Fault("", "it cannot be a header's value, which is one short line")
    return Compiled(Plain(written))


SERVER_NAME = Setting(
    "serverName",
    "server_name",
    _server_name,
    lambda found: Changes(manager={"server_name": found.held}),
)
STRIP_PORT = plain("stripHostPortMode", "strip_host_port_mode", lambda how: {_STRIP[how]: True})


class RequestIds(Value, frozen=True):
    """How request ids and traces go together."""

    packed: bool
    deciding: bool


def _ids(_: Context, written: UuidRequestIdConfig) -> Compiled:
    packed, deciding = written.pack_trace_reason, written.use_request_id_for_trace_sampling
    return Compiled(RequestIds(packed is not False, deciding is not False))


def _encode_ids(found: RequestIds) -> Changes:
    config = UuidConfig(
        pack_trace_reason={"value": found.packed},
        use_request_id_for_trace_sampling={"value": found.deciding},
    )
    return Changes(manager={"request_id_extension": {"typed_config": pack(config)}})


UUID = Setting("uuidRequestIdConfig", "uuid_request_id_config", _ids, _encode_ids)


class ClientCertificate(Value, frozen=True):
    """What is told of clients' certificates in X-Forwarded-Client-Cert."""

    mode: str
    details: tuple[str, ...] = ()


def _certificate(_: Context, written: ForwardClientCertDetails) -> Compiled | Fault:
    if written.mode is None and written.details is None:
        return Compiled(ClientCertificate(""))
    mode = written.mode or "SanitizeSet"
    if written.details is None:
        return Compiled(ClientCertificate(mode))
    if mode not in _WITH_DETAILS:
        return Fault("details", f"{mode} writes none; use AppendForward or SanitizeSet")
    fields = ("subject", "cert", "chain", "dns", "uri")
    found = tuple(each for each in fields if getattr(written.details, each))
    return Compiled(ClientCertificate(mode, found))


def _encode_certificate(found: ClientCertificate) -> Changes:
    if not found.mode:
        return Changes()
    details: dict[str, Any] = {
        name: {"value": True} if name == "subject" else True for name in found.details
    }
    forward = {"forward_client_cert_details": _FORWARD[found.mode]}
    shown = {"set_current_client_cert_details": details} if details else {}
    return Changes(manager={**forward, **shown})


CERTIFICATE = Setting(
    "forwardClientCertDetails",
    "forward_client_cert_details",
    _certificate,
    _encode_certificate,
)


class EarlyHeaders(Value, frozen=True):
    """Changes to a request's headers before anything looks at them."""

    mutations: HeaderMutations


def _early(_: Context, written: HTTPHeaderFilter) -> Compiled | Fault:
    names = [*(each.name for each in (*written.set, *written.add)), *written.remove]
    odd = next((each for each in names if not is_changeable_header(each)), None)
    if odd is not None:
        return Fault("", f'"{odd}" stays; Envoy changes neither Host nor what is no header\'s name')
    long = [each.name for each in (*written.set, *written.add) if not is_header_value(each.value)]
    if long:
        return Fault("", f"the value of {long[0]} cannot be a header's: it must be one short line")
    return Compiled(
        EarlyHeaders(
            HeaderMutations(
                tuple((each.name, each.value) for each in written.set),
                tuple((each.name, each.value) for each in written.add),
                written.remove,
            )
        )
    )


def _encode_early(found: EarlyHeaders) -> Changes:
    changes = found.mutations
    written = [
        *(_written(*each, "OVERWRITE_IF_EXISTS_OR_ADD") for each in changes.set),
        *(_written(*each, "APPEND_IF_EXISTS_OR_ADD") for each in changes.add),
    ]
    return Changes(early=(*({"remove": name} for name in changes.remove), *written))


def _written(name: str, value: str, action: str) -> dict[str, Any]:
    header = {"key": name, "value": value.replace("%", "%%")}
    return {"append": {"header": header, "append_action": action}}


EARLY = Setting(
    "earlyRequestHeaderModifier", "early_request_header_modifier", _early, _encode_early
)

SETTINGS = (KEEP_ID, MAKE_ID, SERVER, SERVER_NAME, STRIP_PORT, UUID, CERTIFICATE, EARLY)
