"""kgateway's kinds for backends: BackendConfigPolicy and Backend."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from serai.api.bounds import (
    UINT32,
    Count,
    Duration,
    Percent,
    Positive,
    Some,
    Streams,
    Whole,
)
from serai.api.kgateway import Nothing, PolicyTargetReference, PolicyTargetSelector
from serai.api.meta import Object, Struct

Method = Literal["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"]
RingSize = Annotated[int, Meta(extra={"least": 0, "most": 8 * 1024 * 1024})]
"""As much as Envoy allows."""


class HealthCheckHttp(Struct, frozen=True):
    """healthCheck.http."""

    path: str
    host: str | None = None
    method: Method | None = None


class HealthCheckGrpc(Struct, frozen=True):
    """healthCheck.grpc."""

    service_name: str | None = None
    authority: str | None = None


class HealthCheck(Struct, frozen=True):
    """spec.healthCheck: one of http, grpc and tcp.  Durations such as 1m30s."""

    timeout: Positive
    interval: Positive
    unhealthy_threshold: Count
    healthy_threshold: Count
    http: HealthCheckHttp | None = None
    grpc: HealthCheckGrpc | None = None
    tcp: Nothing | None = None
    """Whether a connection is accepted.  Serai's own; kgateway has none."""


class OutlierDetection(Struct, frozen=True):
    """spec.outlierDetection."""

    consecutive_5xx: Count = field(name="consecutive5xx", default=5)
    interval: Positive = "10s"
    base_ejection_time: Positive = "30s"
    max_ejection_percent: Percent = 10


class CircuitBreakers(Struct, frozen=True):
    """spec.circuitBreakers."""

    max_connections: Some | None = None
    max_pending_requests: Some | None = None
    max_requests: Some | None = None
    max_retries: Count | None = None
    track_remaining: bool | None = None


class CommonHttpProtocolOptions(Struct, frozen=True):
    """spec.commonHttpProtocolOptions."""

    idle_timeout: Duration | None = None
    max_headers_count: Count | None = None
    max_stream_duration: Duration | None = None
    max_requests_per_connection: Count | None = None


class Http1ProtocolOptions(Struct, frozen=True):
    """spec.http1ProtocolOptions."""

    enable_trailers: bool | None = None
    preserve_http1_header_case: bool | None = field(name="preserveHttp1HeaderCase", default=None)
    override_stream_error: bool | None = field(
        name="overrideStreamErrorOnInvalidHttpMessage", default=None
    )


class ConnectionKeepalive(Struct, frozen=True):
    """http2ProtocolOptions.connectionKeepalive."""

    timeout: Positive
    interval: Positive | None = None
    connection_idle_interval: Positive | None = None


class Http2ProtocolOptions(Struct, frozen=True):
    """spec.http2ProtocolOptions.  Window sizes are bytes, as a Kubernetes quantity."""

    initial_stream_window_size: int | str | None = None
    initial_connection_window_size: int | str | None = None
    max_concurrent_streams: Streams | None = None
    override_stream_error: bool | None = field(
        name="overrideStreamErrorOnInvalidHttpMessage", default=None
    )
    connection_keepalive: ConnectionKeepalive | None = None


class TcpKeepalive(Struct, frozen=True):
    """spec.tcpKeepalive."""

    keep_alive_probes: Count | None = None
    keep_alive_time: Whole | None = None
    keep_alive_interval: Whole | None = None


class SlowStart(Struct, frozen=True):
    """loadBalancer.leastRequest.slowStart and loadBalancer.roundRobin.slowStart."""

    window: Duration | None = None
    aggression: str | None = None
    min_weight_percent: Percent | None = None


class LeastRequest(Struct, frozen=True):
    """loadBalancer.leastRequest."""

    choice_count: Annotated[int, Meta(extra={"least": 2, "most": UINT32})] = 2
    slow_start: SlowStart | None = None


class RoundRobin(Struct, frozen=True):
    """loadBalancer.roundRobin."""

    slow_start: SlowStart | None = None


class HashHeader(Struct, frozen=True):
    """hashPolicies[].header."""

    name: str


class HashCookie(Struct, frozen=True):
    """hashPolicies[].cookie."""

    name: str
    path: str | None = None
    ttl: Duration | None = None
    secure: bool | None = None
    http_only: bool | None = None
    same_site: Literal["Strict", "Lax", "None"] | None = None


class HashPolicy(Struct, frozen=True):
    """hashPolicies[]: one of header, cookie and sourceIP."""

    header: HashHeader | None = None
    cookie: HashCookie | None = None
    source_ip: Nothing | None = field(name="sourceIP", default=None)
    terminal: bool = False


class RingHash(Struct, frozen=True):
    """loadBalancer.ringHash.  Envoy takes useHostnameForHashing of no cluster that we have."""

    minimum_ring_size: RingSize | None = None
    maximum_ring_size: RingSize | None = None
    hash_policies: tuple[HashPolicy, ...] = ()


class Maglev(Struct, frozen=True):
    """loadBalancer.maglev.  Envoy takes useHostnameForHashing of no cluster that we have."""

    hash_policies: tuple[HashPolicy, ...] = ()


class ForceLocal(Struct, frozen=True):
    """zoneAware.preferLocal.force."""

    min_endpoints_in_zone_threshold: Some = 1


class PreferLocal(Struct, frozen=True):
    """zoneAware.preferLocal."""

    force: ForceLocal | None = None
    min_endpoints_threshold: Some = 6
    routing_enabled: Percent = 100


class ZoneAware(Struct, frozen=True):
    """loadBalancer.zoneAware."""

    prefer_local: PreferLocal | None = None


class LoadBalancer(Struct, frozen=True):
    """spec.loadBalancer: one of the five, and what goes with any."""

    least_request: LeastRequest | None = None
    round_robin: RoundRobin | None = None
    ring_hash: RingHash | None = None
    maglev: Maglev | None = None
    random: Nothing | None = None
    healthy_panic_threshold: Percent | None = None
    locality_type: Literal["WeightedLb"] | None = None
    zone_aware: ZoneAware | None = None
    update_merge_window: Duration | None = None
    close_connections_on_host_set_change: bool | None = None


class SecretReference(Struct, frozen=True):
    """tls.secretRef."""

    name: str = ""


class TlsFiles(Struct, frozen=True):
    """tls.files: paths on the machine of the proxy."""

    tls_certificate: str | None = None
    tls_key: str | None = None
    root_ca: str | None = field(name="rootCA", default=None)


class TlsParameters(Struct, frozen=True):
    """tls.parameters."""

    min_version: Literal["AUTO", "1.0", "1.1", "1.2", "1.3"] | None = None
    max_version: Literal["AUTO", "1.0", "1.1", "1.2", "1.3"] | None = None
    cipher_suites: tuple[str, ...] = ()
    ecdh_curves: tuple[str, ...] = ()
    signature_algorithms: tuple[str, ...] = ()


class Tls(Struct, frozen=True):
    """spec.tls: one of secretRef, files, wellKnownCACertificates and insecureSkipVerify."""

    secret_ref: SecretReference | None = None
    files: TlsFiles | None = None
    well_known_ca: str | None = field(name="wellKnownCACertificates", default=None)
    insecure_skip_verify: bool | None = None
    sni: str | None = None
    verify_subject_alt_names: tuple[str, ...] = ()
    parameters: TlsParameters | None = None
    alpn_protocols: tuple[str, ...] = ()
    allow_renegotiation: bool | None = None
    simple_tls: bool | None = field(name="simpleTLS", default=None)


class Dns(Struct, frozen=True):
    """spec.dns."""

    refresh_rate: Positive | None = None
    jitter: Duration | None = None
    respect_ttl: bool | None = field(name="respectTTL", default=None)


class UpstreamProxyProtocol(Struct, frozen=True):
    """spec.upstreamProxyProtocol."""

    version: Literal["V1", "V2"] = "V1"


class BackendConfigPolicySpec(Struct, frozen=True):
    """BackendConfigPolicy.spec."""

    target_refs: tuple[PolicyTargetReference, ...] = ()
    target_selectors: tuple[PolicyTargetSelector, ...] = ()
    health_check: HealthCheck | None = None
    outlier_detection: OutlierDetection | None = None
    circuit_breakers: CircuitBreakers | None = None
    connect_timeout: Positive | None = None
    per_connection_buffer_limit_bytes: Count | None = None
    tcp_keepalive: TcpKeepalive | None = None
    common_http_protocol_options: CommonHttpProtocolOptions | None = None
    http1_protocol_options: Http1ProtocolOptions | None = field(
        name="http1ProtocolOptions", default=None
    )
    http2_protocol_options: Http2ProtocolOptions | None = field(
        name="http2ProtocolOptions", default=None
    )
    load_balancer: LoadBalancer | None = None
    tls: Tls | None = None
    dns: Dns | None = None
    upstream_proxy_protocol: UpstreamProxyProtocol | None = None


class BackendConfigPolicy(Object, frozen=True):
    """gateway.kgateway.dev/v1alpha1 BackendConfigPolicy."""

    spec: BackendConfigPolicySpec


class StaticHost(Struct, frozen=True):
    """static.hosts[]."""

    host: str
    port: Annotated[int, Meta(extra={"least": 1, "most": 65535})]


class StaticBackend(Struct, frozen=True):
    """Backend.spec.static."""

    hosts: tuple[StaticHost, ...]
    app_protocol: str | None = None


class DynamicForwardProxy(Struct, frozen=True):
    """Backend.spec.dynamicForwardProxy."""

    enable_tls: bool | None = None


class GroupMember(Struct, frozen=True):
    """priorityGroups[].backendRefs[]."""

    name: str = ""


class PriorityGroup(Struct, frozen=True):
    """Backend.spec.priorityGroups[]."""

    backend_refs: tuple[GroupMember, ...] = ()


class Unsupported(Struct, frozen=True):
    """A kind of backend that is known and not implemented: that it is there is all we read."""


class BackendSpec(Struct, frozen=True):
    """Backend.spec: exactly one of these."""

    static: StaticBackend | None = None
    dynamic_forward_proxy: DynamicForwardProxy | None = None
    priority_groups: tuple[PriorityGroup, ...] = ()
    aws: Unsupported | None = None
    gcp: Unsupported | None = None


class Backend(Object, frozen=True):
    """gateway.kgateway.dev/v1alpha1 Backend."""

    spec: BackendSpec
