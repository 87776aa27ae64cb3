"""kgateway's ListenerPolicy and HTTPListenerPolicy: what holds for all of a listener's clients."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from serai.api.access_log import AccessLog, LogFilter
from serai.api.bounds import Count, Duration, Some, Streams, Whole
from serai.api.direct_response import BodyFormat
from serai.api.gateway_tls import ObjectReference
from serai.api.httproute import HTTPHeaderFilter
from serai.api.kgateway import PolicyTargetReference, PolicyTargetSelector
from serai.api.listener_tracing import Tracing
from serai.api.meta import Object, Struct
from serai.api.traffic_shaping import HeaderModifier

HeadersKb = Annotated[int, Meta(extra={"least": 1, "most": 8192})]
"""As much as Envoy allows."""


class CertificateDetails(Struct, frozen=True):
    """forwardClientCertDetails.details."""

    subject: bool | None = None
    cert: bool | None = None
    chain: bool | None = None
    dns: bool | None = None
    uri: bool | None = None


class ForwardClientCertDetails(Struct, frozen=True):
    """forwardClientCertDetails."""

    mode: (
        Literal["Sanitize", "ForwardOnly", "AppendForward", "SanitizeSet", "AlwaysForwardOnly"]
        | None
    ) = None
    details: CertificateDetails | None = None


class HealthCheckPath(Struct, frozen=True):
    """healthCheck."""

    path: str


class Http2Options(Struct, frozen=True):
    """http2ProtocolOptions; window sizes are bytes, as a Kubernetes quantity."""

    allow_connect: bool | None = None
    initial_connection_window_size: int | str | None = None
    initial_stream_window_size: int | str | None = None
    max_concurrent_streams: Streams | None = None


class LocalReplyMapper(Struct, frozen=True):
    """localReplies.mappers[]."""

    filter: LogFilter
    body: str | None = None
    body_format_override: BodyFormat | None = None
    headers: HeaderModifier | None = None
    status_code: int | None = None


class LocalReplies(Struct, frozen=True):
    """localReplies: what Envoy answers by itself."""

    default_body_format: BodyFormat | None = None
    mappers: tuple[LocalReplyMapper, ...] = ()


class UpgradeConfig(Struct, frozen=True):
    """upgradeConfig."""

    enabled_upgrades: tuple[str, ...] = ()


class UuidRequestIdConfig(Struct, frozen=True):
    """uuidRequestIdConfig."""

    pack_trace_reason: bool | None = None
    use_request_id_for_trace_sampling: bool | None = None


class HTTPSettings(Struct, frozen=True):
    """httpSettings; of an HTTPListenerPolicy its spec.  A field is a setting of its own."""

    accept_http10: bool | None = None
    access_log: tuple[AccessLog, ...] | None = None
    default_host_for_http10: str | None = None
    early_request_header_modifier: HTTPHeaderFilter | None = None
    forward_client_cert_details: ForwardClientCertDetails | None = None
    generate_request_id: bool | None = None
    health_check: HealthCheckPath | None = None
    http2_protocol_options: Http2Options | None = None
    idle_timeout: Duration | None = None
    local_replies: LocalReplies | None = None
    max_headers_count: Some | None = None
    max_request_headers_kb: HeadersKb | None = None
    max_requests_per_connection: Count | None = None
    preserve_external_request_id: bool | None = None
    preserve_http1_header_case: bool | None = None
    server_header_transformation: Literal["Overwrite", "AppendIfAbsent", "PassThrough"] | None = (
        None
    )
    server_name: str | None = None
    skip_xff_append: bool | None = field(name="skipXFFAppend", default=None)
    stream_idle_timeout: Duration | None = None
    strip_host_port_mode: Literal["MatchingPort", "AnyPort"] | None = None
    tracing: Tracing | None = None
    upgrade_config: UpgradeConfig | None = None
    use_remote_address: bool | None = None
    uuid_request_id_config: UuidRequestIdConfig | None = None
    xff_num_trusted_hops: Count | None = None
    xff_trusted_cidrs: tuple[str, ...] | None = field(name="xffTrustedCIDRs", default=None)


class ListenerProxyProtocol(Struct, frozen=True):
    """proxyProtocol."""

    allow_requests_without_proxy_protocol: bool = False


class ListenerKeepalive(Struct, frozen=True):
    """tcpKeepalive."""

    keep_alive_interval: Whole | None = None
    keep_alive_probes: Count | None = None
    keep_alive_time: Whole | None = None


class ClientCertificateValidation(Struct, frozen=True):
    """clientCertificateValidation."""

    mode: Literal["Require", "Optional"]
    ca_certificate_refs: tuple[ObjectReference, ...] = ()


class ListenerConfig(Struct, frozen=True):
    """spec.default and spec.perPort[].listener."""

    client_certificate_validation: ClientCertificateValidation | None = None
    http_settings: HTTPSettings | None = None
    per_connection_buffer_limit_bytes: Count | None = None
    proxy_protocol: ListenerProxyProtocol | None = None
    tcp_keepalive: ListenerKeepalive | None = None
    transport_socket_connect_timeout: Duration | None = None


class PortConfig(Struct, frozen=True):
    """spec.perPort[]: it takes the place of all of spec.default."""

    port: int
    listener: ListenerConfig


class ListenerPolicySpec(Struct, frozen=True):
    """ListenerPolicy.spec."""

    target_refs: tuple[PolicyTargetReference, ...] = ()
    target_selectors: tuple[PolicyTargetSelector, ...] = ()
    default: ListenerConfig | None = None
    per_port: tuple[PortConfig, ...] = ()


class ListenerPolicy(Object, frozen=True):
    """gateway.kgateway.dev/v1alpha1 ListenerPolicy."""

    spec: ListenerPolicySpec = ListenerPolicySpec()


class HTTPListenerPolicySpec(HTTPSettings, frozen=True):
    """HTTPListenerPolicy.spec."""

    target_refs: tuple[PolicyTargetReference, ...] = ()
    target_selectors: tuple[PolicyTargetSelector, ...] = ()


class HTTPListenerPolicy(Object, frozen=True):
    """gateway.kgateway.dev/v1alpha1 HTTPListenerPolicy."""

    spec: HTTPListenerPolicySpec = HTTPListenerPolicySpec()
