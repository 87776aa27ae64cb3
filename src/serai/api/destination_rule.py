"""Istio's DestinationRule."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from serai.api.bounds import Count, Duration, Percent, Positive, Share, Whole
from serai.api.meta import Object, Struct

RingSize = Annotated[int, Meta(extra={"least": 0, "most": 8 * 1024 * 1024})]
"""As much as Envoy allows."""


class TcpKeepalive(Struct, frozen=True):
    """connectionPool.tcp.tcpKeepalive."""

    probes: Count | None = None
    time: Whole | None = None
    interval: Whole | None = None


class TcpSettings(Struct, frozen=True):
    """connectionPool.tcp."""

    max_connections: Count | None = None
    connect_timeout: Positive | None = None
    tcp_keepalive: TcpKeepalive | None = None
    max_connection_duration: Positive | None = None
    idle_timeout: Duration | None = None


class Http2KeepAlive(Struct, frozen=True):
    """connectionPool.http.http2KeepAlive."""

    interval: Positive | None = None
    timeout: Positive | None = None


class HttpSettings(Struct, frozen=True):
    """connectionPool.http."""

    http1_max_pending_requests: Count | None = field(name="http1MaxPendingRequests", default=None)
    http2_max_requests: Count | None = field(name="http2MaxRequests", default=None)
    max_requests_per_connection: Count | None = None
    max_retries: Count | None = None
    idle_timeout: Duration | None = None
    h2_upgrade_policy: Literal["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"] = field(
        name="h2UpgradePolicy", default="DEFAULT"
    )
    use_client_protocol: bool = False
    max_concurrent_streams: Annotated[int, Meta(extra={"least": 0, "most": 2**31 - 1})] | None = (
        None
    )
    http2_keep_alive: Http2KeepAlive | None = field(name="http2KeepAlive", default=None)


class ConnectionPool(Struct, frozen=True):
    """trafficPolicy.connectionPool."""

    tcp: TcpSettings | None = None
    http: HttpSettings | None = None


class OutlierDetection(Struct, frozen=True):
    """trafficPolicy.outlierDetection."""

    consecutive_errors: Count | None = None
    split_external_local_origin_errors: bool = False
    consecutive_local_origin_failures: Count | None = None
    consecutive_gateway_errors: Count | None = None
    consecutive_5xx_errors: Count | None = field(name="consecutive5xxErrors", default=None)
    interval: Positive | None = None
    base_ejection_time: Positive | None = None
    max_ejection_percent: Percent | None = None
    min_health_percent: Percent | None = None
    outlier_detection_http_error_codes: tuple[int, ...] = ()


class CookieAttribute(Struct, frozen=True):
    """consistentHash.httpCookie.attributes[]."""

    name: str
    value: str = ""


class HttpCookie(Struct, frozen=True):
    """consistentHash.httpCookie."""

    name: str
    path: str | None = None
    ttl: Duration | None = None
    attributes: tuple[CookieAttribute, ...] = ()


class RingHash(Struct, frozen=True):
    """consistentHash.ringHash."""

    minimum_ring_size: RingSize | None = None


class Maglev(Struct, frozen=True):
    """consistentHash.maglev."""

    table_size: Annotated[int, Meta(extra={"least": 2, "most": 5_000_011})] | None = None


class ConsistentHash(Struct, frozen=True):
    """loadBalancer.consistentHash."""

    http_header_name: str | None = None
    http_cookie: HttpCookie | None = None
    use_source_ip: bool = False
    http_query_parameter_name: str | None = None
    ring_hash: RingHash | None = None
    maglev: Maglev | None = None
    minimum_ring_size: RingSize | None = None


class Distribute(Struct, frozen=True):
    """localityLbSetting.distribute[]."""

    from_: str = field(name="from", default="")
    to: dict[str, int] = {}


class Failover(Struct, frozen=True):
    """localityLbSetting.failover[]."""

    from_: str = field(name="from", default="")
    to: str = ""


class LocalityLbSetting(Struct, frozen=True):
    """loadBalancer.localityLbSetting."""

    distribute: tuple[Distribute, ...] = ()
    failover: tuple[Failover, ...] = ()
    failover_priority: tuple[str, ...] = ()
    enabled: bool | None = None


class ZoneAwareLbSetting(Struct, frozen=True):
    """loadBalancer.zoneAwareLbSetting."""

    enabled: bool | None = None
    failover: tuple[Failover, ...] = ()
    failover_priority: tuple[str, ...] = ()
    min_cluster_size: Count | None = None


class Warmup(Struct, frozen=True):
    """loadBalancer.warmup."""

    duration: Positive
    minimum_percent: Share | None = None
    aggression: float | None = None


class BackendUtilization(Struct, frozen=True):
    """loadBalancer.backendUtilization."""

    weight_stabilization_period: Duration | None = None
    weight_expiration_period: Duration | None = None
    weight_update_period: Positive | None = None
    error_utilization_penalty_percent: Count | None = None
    metric_names_for_computing_utilization: tuple[str, ...] = ()


class LoadBalancer(Struct, frozen=True):
    """trafficPolicy.loadBalancer."""

    simple: Literal[
        "UNSPECIFIED", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST"
    ] = "UNSPECIFIED"
    consistent_hash: ConsistentHash | None = None
    backend_utilization: BackendUtilization | None = None
    locality_lb_setting: LocalityLbSetting | None = None
    zone_aware_lb_setting: ZoneAwareLbSetting | None = None
    warmup: Warmup | None = None
    warmup_duration_secs: Positive | None = None


class ClientTls(Struct, frozen=True):
    """trafficPolicy.tls.  Files are paths on the machine of the proxy."""

    mode: Literal["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"] = "DISABLE"
    client_certificate: str = ""
    private_key: str = ""
    ca_certificates: str = ""
    ca_crl: str = ""
    credential_name: str = ""
    subject_alt_names: tuple[str, ...] = ()
    sni: str = ""
    insecure_skip_verify: bool = False


class ProxyProtocol(Struct, frozen=True):
    """trafficPolicy.proxyProtocol."""

    version: Literal["V1", "V2"] = "V1"


class RetryBudget(Struct, frozen=True):
    """trafficPolicy.retryBudget."""

    percent: Share | None = None
    min_retry_concurrency: Count | None = None


class PortSelector(Struct, frozen=True):
    """portLevelSettings[].port."""

    number: int = 0


class PortTrafficPolicy(Struct, frozen=True):
    """trafficPolicy.portLevelSettings[].  For its port it takes the place of what stands around."""

    port: PortSelector = PortSelector()
    load_balancer: LoadBalancer | None = None
    connection_pool: ConnectionPool | None = None
    outlier_detection: OutlierDetection | None = None
    tls: ClientTls | None = None


class TunnelSettings(Struct, frozen=True):
    """trafficPolicy.tunnel: bytes for the host go inside a request for the target."""

    target_host: str
    target_port: Annotated[int, Meta(extra={"least": 1, "most": 65535})]
    protocol: Literal["CONNECT", "POST"] = "CONNECT"


class TrafficPolicy(Struct, frozen=True):
    """DestinationRule.spec.trafficPolicy and subsets[].trafficPolicy."""

    load_balancer: LoadBalancer | None = None
    connection_pool: ConnectionPool | None = None
    outlier_detection: OutlierDetection | None = None
    tls: ClientTls | None = None
    port_level_settings: tuple[PortTrafficPolicy, ...] = ()
    proxy_protocol: ProxyProtocol | None = None
    retry_budget: RetryBudget | None = None
    tunnel: TunnelSettings | None = None


class Subset(Struct, frozen=True):
    """DestinationRule.spec.subsets[]."""

    name: str
    labels: dict[str, str] = {}
    traffic_policy: TrafficPolicy | None = None


class RuleSelector(Struct, frozen=True):
    """DestinationRule.spec.workloadSelector."""

    match_labels: dict[str, str] = {}


class DestinationRuleSpec(Struct, frozen=True):
    """DestinationRule.spec."""

    host: str
    traffic_policy: TrafficPolicy | None = None
    subsets: tuple[Subset, ...] = ()
    export_to: tuple[str, ...] = ()
    workload_selector: RuleSelector | None = None


class DestinationRule(Object, frozen=True):
    """networking.istio.io/v1 DestinationRule."""

    spec: DestinationRuleSpec
