"""Which protocols clients may speak, and an answer for who only asks whether Envoy is there.

Envoy: Http1ProtocolOptions, upgrade_configs, envoy.filters.http.health_check.
"""

from __future__ import annotations

from serai.api.listener_policy import HealthCheckPath, UpgradeConfig
from serai.ir.match import CONNECT
from serai.ir.origin import Value
from serai.listener_policies.setting import Changes, Plain, Setting, plain
from serai.policies.feature import Compiled, Context, Fault
from serai.proto.envoy import HealthCheckFilter, PreserveCaseFormatterConfig
from serai.proto.pool import pack

_HTTP1 = "http_protocol_options"
WEBSOCKET = "websocket"

HTTP10 = plain("acceptHttp10", "accept_http10", lambda yes: {_HTTP1: {"accept_http_10": yes}})
HTTP10_HOST = plain(
    "defaultHostForHttp10",
    "default_host_for_http10",
    lambda host: {_HTTP1: {"default_host_for_http_10": host}},
)


def _case(_: Context, written: bool) -> Compiled:  # noqa: FBT001  # the value of the field
    return Compiled(Plain(written))


def _encode_case(found: Plain) -> Changes:
    if not found.held:
        return Changes()
    formatter = {
        "name": "envoy.http.stateful_header_formatters.preserve_case",
        "typed_config": pack(PreserveCaseFormatterConfig()),
    }
    return Changes(manager={_HTTP1: {"header_key_format": {"stateful_formatter": formatter}}})


CASE = Setting("preserveHttp1HeaderCase", "preserve_http1_header_case", _case, _encode_case)


class Upgrades(Value, frozen=True):
    """What connections may be upgraded to, beside WebSocket."""

    types: tuple[str, ...]


def _upgrades(_: Context, written: UpgradeConfig) -> Compiled | Fault:
    types = {each.lower(): each for each in written.enabled_upgrades if each}
    if CONNECT.lower() in types:
        types[CONNECT.lower()] = CONNECT
    types.pop(WEBSOCKET, None)
    return Compiled(Upgrades(tuple(types.values())))


def _encode_upgrades(found: Upgrades) -> Changes:
    configs = [{"upgrade_type": each} for each in (WEBSOCKET, *found.types)]
    return Changes(manager={"upgrade_configs": configs})


UPGRADES = Setting("upgradeConfig", "upgrade_config", _upgrades, _encode_upgrades)


def _health(_: Context, written: HealthCheckPath) -> Compiled | Fault:
    if not written.path.startswith("/"):
        return Fault("path", f'"{written.path}" is not a path; it begins with /')
    return Compiled(Plain(written.path))


def _encode_health(found: Plain) -> Changes:
    at = {"name": ":path", "string_match": {"exact": found.held}}
    message = HealthCheckFilter(pass_through_mode={"value": False}, headers=[at])
    return Changes(filters=(("envoy.filters.http.health_check", message),))


HEALTH = Setting("healthCheck", "health_check", _health, _encode_health)

SETTINGS = (HTTP10, HTTP10_HOST, CASE, UPGRADES, HEALTH)
