"""The messages Serai writes and reads, by the names Envoy's documentation uses."""

from __future__ import annotations

from serai.proto.pool import message

# envoy.service.discovery.v3
DiscoveryRequest = message("envoy.service.discovery.v3.DiscoveryRequest")
DiscoveryResponse = message("envoy.service.discovery.v3.DiscoveryResponse")
DeltaDiscoveryRequest = message("envoy.service.discovery.v3.DeltaDiscoveryRequest")
DeltaDiscoveryResponse = message("envoy.service.discovery.v3.DeltaDiscoveryResponse")
DiscoveredResource = message("envoy.service.discovery.v3.Resource")

# resources
Cluster = message("envoy.config.cluster.v3.Cluster")
ClusterLoadAssignment = message("envoy.config.endpoint.v3.ClusterLoadAssignment")
Listener = message("envoy.config.listener.v3.Listener")
FilterChain = message("envoy.config.listener.v3.FilterChain")
RouteConfiguration = message("envoy.config.route.v3.RouteConfiguration")
ScopedRouteConfiguration = message("envoy.config.route.v3.ScopedRouteConfiguration")
Bootstrap = message("envoy.config.bootstrap.v3.Bootstrap")
