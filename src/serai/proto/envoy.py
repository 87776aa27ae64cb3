"""The messages Serai writes and reads, by the names that Envoy's documentation uses.

A class is made when it is first asked for.  Where two packages use one name, the less common
of the two says what it is for: `HttpRBAC` is the HTTP filter, `RBAC` are the rules in it.

The build reads MESSAGES to write envoy.pyi, from which the type checker knows every field;
after adding a name, run ``make setup`` again.
"""

from __future__ import annotations

from google.protobuf.message import Message

_PACKAGES = {
    # The conversation
    "envoy.service.discovery.v3": [
        "DiscoveryRequest",
        "DiscoveryResponse",
        "DeltaDiscoveryRequest",
        "DeltaDiscoveryResponse",
    ],
    "google.rpc": ["Status"],
    # Resources and their parts
    "envoy.config.core.v3": [
        "Address",
        "CelExpressionConfig",
        "CidrRange",
        "ConfigSource",
        "DataSource",
        "GrpcService",
        "HeaderValue",
        "HeaderValueOption",
        "HealthCheck",
        "Http1ProtocolOptions",
        "Http2ProtocolOptions",
        "HttpUri",
        "Locality",
        "Metadata",
        "Node",
        "RuntimeFractionalPercent",
        "SocketAddress",
        "SubstitutionFormatString",
        "TransportSocket",
        "TypedExtensionConfig",
    ],
    "envoy.config.cluster.v3": ["CircuitBreakers", "Cluster", "OutlierDetection"],
    "envoy.config.endpoint.v3": [
        "ClusterLoadAssignment",
        "Endpoint",
        "LbEndpoint",
        "LocalityLbEndpoints",
    ],
    "envoy.config.listener.v3": [
        "Filter",
        "FilterChain",
        "FilterChainMatch",
        "Listener",
        "ListenerFilter",
    ],
    "envoy.config.route.v3": [
        "DirectResponseAction",
        "FilterConfig",
        "HeaderMatcher",
        "QueryParameterMatcher",
        "RedirectAction",
        "RetryPolicy",
        "Route",
        "RouteAction",
        "RouteConfiguration",
        "RouteMatch",
        "ScopedRouteConfiguration",
        "VirtualHost",
        "WeightedCluster",
    ],
    "envoy.config.rbac.v3": ["Permission", "Policy", "Principal", "RBAC"],
    "envoy.config.accesslog.v3": ["AccessLog", "AccessLogFilter"],
    "envoy.config.bootstrap.v3": ["Admin", "Bootstrap"],
    # Matchers and their inputs
    "envoy.type.matcher.v3": ["RegexMatchAndSubstitute", "RegexMatcher", "StringMatcher"],
    "xds.type.matcher.v3": [
        "CelMatcher",
        "HttpAttributesCelMatchInput",
        "IPMatcher",
        "Matcher",
        "ServerNameMatcher",
    ],
    "cel.expr": ["CheckedExpr"],
    "envoy.extensions.matching.common_inputs.network.v3": [
        "ApplicationProtocolInput",
        "DestinationIPInput",
        "DestinationPortInput",
        "FilterStateInput",
        "ServerNameInput",
        "SourceIPInput",
        "SourcePortInput",
        "TransportProtocolInput",
    ],
    # Listener filters
    "envoy.extensions.filters.listener.http_inspector.v3": ["HttpInspector"],
    "envoy.extensions.filters.listener.original_dst.v3": ["OriginalDst"],
    "envoy.extensions.filters.listener.proxy_protocol.v3": ["ProxyProtocol"],
    "envoy.extensions.filters.listener.tls_inspector.v3": ["TlsInspector"],
    # Network filters
    "envoy.extensions.filters.network.http_connection_manager.v3": [
        "HttpConnectionManager",
        "HttpFilter",
        "Rds",
        "ScopedRds",
        "ScopedRoutes",
    ],
    "envoy.extensions.filters.network.tcp_proxy.v3": ["TcpProxy"],
    "envoy.extensions.filters.common.set_filter_state.v3": ["FilterStateValue"],
    # HTTP filters
    "envoy.extensions.filters.http.header_mutation.v3": [
        "HeaderMutation",
        "HeaderMutationPerRoute",
    ],
    "envoy.extensions.filters.http.router.v3": ["Router"],
    "envoy.extensions.filters.http.composite.v3": ["Composite", "ExecuteFilterAction"],
    "envoy.extensions.filters.common.matcher.action.v3": ["SkipFilter"],
    "envoy.extensions.filters.http.ext_proc.v3": ["ExternalProcessor"],
    "envoy.extensions.filters.http.ext_authz.v3": ["ExtAuthz", "ExtAuthzPerRoute"],
    "envoy.extensions.path.match.uri_template.v3": ["UriTemplateMatchConfig"],
    "envoy.extensions.filters.http.api_key_auth.v3": ["ApiKeyAuth"],
    "envoy.extensions.filters.http.basic_auth.v3": ["BasicAuth"],
    "envoy.extensions.filters.http.buffer.v3": ["Buffer"],
    "envoy.extensions.filters.http.compressor.v3": ["Compressor"],
    "envoy.extensions.filters.http.csrf.v3": ["CsrfPolicy"],
    "envoy.extensions.filters.http.decompressor.v3": ["Decompressor"],
    "envoy.extensions.filters.http.fault.v3": ["HTTPFault"],
    "envoy.extensions.filters.http.cors.v3": ["Cors", "CorsPolicy"],
    "envoy.extensions.filters.http.jwt_authn.v3": ["JwtAuthentication"],
    "envoy.extensions.filters.http.lua.v3": ["Lua"],
    "envoy.extensions.filters.http.local_ratelimit.v3": ["LocalRateLimit"],
    "envoy.extensions.filters.http.oauth2.v3": ["OAuth2"],
    "envoy.extensions.filters.http.transform.v3": ["TransformConfig"],
    "envoy.extensions.filters.http.ratelimit.v3": ["RateLimit"],
    "envoy.service.ratelimit.v3": ["RateLimitRequest", "RateLimitResponse"],
    "envoy.extensions.common.matching.v3": [
        "ExtensionWithMatcher",
        "ExtensionWithMatcherPerRoute",
    ],
    # Upstreams
    "envoy.extensions.clusters.dns.v3": ["DnsCluster"],
    "envoy.extensions.load_balancing_policies.client_side_weighted_round_robin.v3": [
        "ClientSideWeightedRoundRobin"
    ],
    "envoy.extensions.filters.http.upstream_codec.v3": ["UpstreamCodec"],
    "envoy.extensions.rbac.matchers.upstream_ip_port.v3": ["UpstreamIpPortMatcher"],
    "envoy.extensions.upstreams.http.v3": ["HttpProtocolOptions"],
    "envoy.extensions.upstreams.tcp.v3": ["TcpProtocolOptions"],
    "envoy.extensions.transport_sockets.internal_upstream.v3": ["InternalUpstreamTransport"],
    "envoy.extensions.transport_sockets.proxy_protocol.v3": ["ProxyProtocolUpstreamTransport"],
    "envoy.extensions.transport_sockets.raw_buffer.v3": ["RawBuffer"],
    "envoy.extensions.transport_sockets.tls.v3": [
        "DownstreamTlsContext",
        "Secret",
        "UpstreamTlsContext",
    ],
    # Access logs and bootstrap extensions
    "envoy.extensions.formatter.cel.v3": ["Cel"],
    "envoy.extensions.access_loggers.file.v3": ["FileAccessLog"],
    "envoy.extensions.access_loggers.grpc.v3": ["HttpGrpcAccessLogConfig"],
    "envoy.extensions.access_loggers.open_telemetry.v3": ["OpenTelemetryAccessLogConfig"],
    "envoy.config.trace.v3": ["OpenTelemetryConfig"],
    "envoy.extensions.tracers.opentelemetry.resource_detectors.v3": [
        "EnvironmentResourceDetectorConfig"
    ],
    "envoy.extensions.tracers.opentelemetry.samplers.v3": ["AlwaysOnSamplerConfig"],
    "envoy.extensions.http.original_ip_detection.xff.v3": ["XffConfig"],
    "envoy.extensions.request_id.uuid.v3": ["UuidRequestIdConfig"],
    "envoy.extensions.http.header_formatters.preserve_case.v3": ["PreserveCaseFormatterConfig"],
    "envoy.extensions.access_loggers.stream.v3": ["StderrAccessLog", "StdoutAccessLog"],
    "envoy.extensions.bootstrap.internal_listener.v3": ["InternalListener"],
    # What Envoy's admin interface answers
    "envoy.admin.v3": [
        "BootstrapConfigDump",
        "Clusters",
        "ClustersConfigDump",
        "ConfigDump",
        "EcdsConfigDump",
        "EndpointsConfigDump",
        "Listeners",
        "ListenersConfigDump",
        "RoutesConfigDump",
        "ScopedRoutesConfigDump",
        "SecretsConfigDump",
        "ServerInfo",
    ],
    # Protocol Buffers' own; those of google.protobuf itself do not fit into this pool's messages
    "google.protobuf": [
        "Any",
        "BoolValue",
        "DoubleValue",
        "Duration",
        "Empty",
        "ListValue",
        "StringValue",
        "Struct",
        "Timestamp",
        "UInt32Value",
        "UInt64Value",
        "Value",
    ],
}

MESSAGES = {name: f"{package}.{name}" for package, names in _PACKAGES.items() for name in names} | {
    "RBACAction": "envoy.config.rbac.v3.Action",
    "GzipCompressor": "envoy.extensions.compression.gzip.compressor.v3.Gzip",
    "GzipDecompressor": "envoy.extensions.compression.gzip.decompressor.v3.Gzip",
    "BrotliCompressor": "envoy.extensions.compression.brotli.compressor.v3.Brotli",
    "BrotliDecompressor": "envoy.extensions.compression.brotli.decompressor.v3.Brotli",
    "ZstdCompressor": "envoy.extensions.compression.zstd.compressor.v3.Zstd",
    "ZstdDecompressor": "envoy.extensions.compression.zstd.decompressor.v3.Zstd",
    "DiscoveredResource": "envoy.service.discovery.v3.Resource",
    "EarlyHeaderMutation": (
        "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
    ),
    "HttpRBAC": "envoy.extensions.filters.http.rbac.v3.RBAC",
    "HttpRBACPerRoute": "envoy.extensions.filters.http.rbac.v3.RBACPerRoute",
    "DynamicForwardProxy": "envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig",
    "DynamicForwardProxyCluster": (
        "envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig"
    ),
    "HeaderToMetadata": "envoy.extensions.filters.http.header_to_metadata.v3.Config",
    "HttpSetFilterState": "envoy.extensions.filters.http.set_filter_state.v3.Config",
    "JwtPerRoute": "envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig",
    "NetworkExtAuthz": "envoy.extensions.filters.network.ext_authz.v3.ExtAuthz",
    "NetworkRBAC": "envoy.extensions.filters.network.rbac.v3.RBAC",
    "NetworkSetFilterState": "envoy.extensions.filters.network.set_filter_state.v3.Config",
    "StatefulSession": "envoy.extensions.filters.http.stateful_session.v3.StatefulSession",
    "StatefulSessionPerRoute": (
        "envoy.extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute"
    ),
    "CookieSessionState": (
        "envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState"
    ),
    "HeaderSessionState": (
        "envoy.extensions.http.stateful_session.header.v3.HeaderBasedSessionState"
    ),
    "PreviousHosts": ("envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"),
    "RuntimeFraction": (
        "envoy.extensions.matching.input_matchers.runtime_fraction.v3.RuntimeFraction"
    ),
    "UdpProxy": "envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig",
    "UdpRoute": "envoy.extensions.filters.udp.udp_proxy.v3.Route",
    "HealthCheckFilter": "envoy.extensions.filters.http.health_check.v3.HealthCheck",
    "CelAccessLogFilter": "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
    "StatsAccessLog": "envoy.extensions.access_loggers.stats.v3.Config",
}
"""The full name of each message, by the name it has here."""


def __getattr__(name: str) -> type[Message]:
    if name not in MESSAGES:
        msg = f"serai.proto.envoy has no message {name}; MESSAGES lists those it has"
        raise AttributeError(msg)
    from serai.proto.pool import message  # noqa: PLC0415  # the pool is loaded when first needed

    made = globals()[name] = message(MESSAGES[name])
    return made


def __dir__() -> list[str]:
    return [*globals(), *MESSAGES]
