"""Active health checks: Envoy asks each endpoint itself.  kgateway: healthCheck."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from serai.api.bounds import seconds
from serai.api.kgateway_backend import BackendConfigPolicySpec
from serai.api.kgateway_backend import HealthCheck as Spec
from serai.api.syntax import is_ip
from serai.backends.feature import Draft, Feature, Subject
from serai.ir.origin import Value
from serai.proto.envoy import HealthCheck as EnvoyHealthCheck


class HealthCheck(Value, frozen=True):
    """How an endpoint is asked, how often, and how many answers it takes."""

    kind: Literal["http", "grpc", "tcp"]
    interval: float
    """Seconds, as is `timeout`."""
    timeout: float
    unhealthy_threshold: int
    healthy_threshold: int
    path: str = ""
    method: str = ""
    host: str = ""
    """Of HTTP the Host, of gRPC the authority; empty: the service's host, or an endpoint's name."""
    service: str = ""
    """Of gRPC: the service whose health is asked for."""


def _of_config(spec: BackendConfigPolicySpec, _: Subject) -> HealthCheck | None:
    check = spec.health_check
    if check is None:
        return None
    if check.http:
        http = check.http
        return _timed(
            check, "http", path=http.path or "/", method=http.method or "", host=http.host or ""
        )
    if check.grpc:
        grpc = check.grpc
        return _timed(check, "grpc", service=grpc.service_name or "", host=grpc.authority or "")
    return _timed(check, "tcp")


def _timed(check: Spec, kind: Literal["http", "grpc", "tcp"], **how: str) -> HealthCheck:
    return HealthCheck(
        kind=kind,
        interval=seconds(check.interval) or 0,
        timeout=seconds(check.timeout) or 0,
        unhealthy_threshold=check.unhealthy_threshold,
        healthy_threshold=check.healthy_threshold,
        **how,
    )


def _write(check: HealthCheck, draft: Draft) -> None:
    interval = timedelta(seconds=check.interval)
    message = EnvoyHealthCheck(
        interval=interval,
        timeout=timedelta(seconds=check.timeout),
        unhealthy_threshold={"value": check.unhealthy_threshold},
        healthy_threshold={"value": check.healthy_threshold},
        # Else a cluster that nobody has sent to yet is asked once a minute only.
        no_traffic_interval=interval,
        no_traffic_healthy_interval=interval,
        **_asking(check, draft),
    )
    draft.message.health_checks.append(message)
    if not check.host:
        _ask_by_name(draft)
    if check.kind == "grpc":
        # Envoy refuses a gRPC health check of a cluster that speaks HTTP/1.1.
        draft.http2 = True


def _asking(check: HealthCheck, draft: Draft) -> dict[str, Any]:
    host = check.host or draft.ir.host
    match check.kind:
        case "http":
            http = {"path": check.path, "host": host, "method": check.method or "GET"}
            if draft.ir.http2:
                http["codec_client_type"] = "HTTP2"
            return {"http_health_check": http}
        case "grpc":
            return {"grpc_health_check": {"service_name": check.service, "authority": host}}
        case "tcp":
            return {"tcp_health_check": {}}


def _ask_by_name(draft: Draft) -> None:
    """Endpoints that are looked up are asked by their own names."""
    for locality in draft.message.load_assignment.endpoints:
        for each in locality.lb_endpoints:
            address = each.endpoint.address.socket_address.address
            if address and not is_ip(address):
                each.endpoint.health_check_config.hostname = address


HEALTH_CHECK = Feature(
    value=HealthCheck, reads={BackendConfigPolicySpec: _of_config}, write=_write, whole=True
)
