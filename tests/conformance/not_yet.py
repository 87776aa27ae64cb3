"""What does not pass today, with the reason.  Strict: what passes has to leave this file."""

from __future__ import annotations

CLUSTER_ONLY: dict[str, str] = {}
"""What cannot be replayed without a cluster."""

REASONS = {
    "SERVED": "TLS listeners are told to be programmed, but are not served yet",
    "TCP": "what TCP and TLS listeners forward to is not served yet",
    "SETS": "Gateway.status.attachedListenerSets is not written yet",
    "CERTIFICATES": "certificateRefs do not come to conditions yet",
    "CLIENTS": "client certificates at listeners do not come to conditions yet",
    "BACKEND_TLS": "ancestors by TLSRoutes, and ResolvedRefs of a Gateway, are to come",
    "PARAMETERS": "a parametersRef that cannot be used is not told yet",
    "ADDRESSES": "addresses that cannot be used are not told yet",
}
NOT_YET: dict[str, str] = {
    "BackendTLSPolicyTLSRouteTerminate": REASONS["BACKEND_TLS"],
    "GatewayFrontendClientCertificateValidationInsecureFallback": REASONS["CLIENTS"],
    "GatewayFrontendInvalidDefaultClientCertificateValidation": REASONS["CLIENTS"],
    "GatewayInvalidParametersRef": REASONS["PARAMETERS"],
    "GatewayInvalidTLSConfiguration": REASONS["CERTIFICATES"],
    "GatewaySecretMissingReferenceGrant": REASONS["CERTIFICATES"],
    "GatewayStaticAddresses": REASONS["ADDRESSES"],
    "GatewayTLSBackendClientCertificate": REASONS["BACKEND_TLS"],
    "HTTPRouteRedirectPortAndScheme": REASONS["SERVED"],
    "ListenerSetAllowedNamespaceSame": REASONS["SETS"],
    "ListenerSetAllowedNamespaceSelector": REASONS["SETS"],
    "ListenerSetAllowedRoutesNamespaces": REASONS["SETS"],
    "ListenerSetDualParentRefIndependence": REASONS["SETS"],
    "ListenerSetHTTPRouting": REASONS["SETS"],
    "ListenerSetHostnameConflict": REASONS["SETS"],
    "ListenerSetProtocolConflict": REASONS["SETS"],
    "TCPRouteMultipleRoutesAttachment": REASONS["TCP"],
    "TCPRouteParentRefAttachAll": REASONS["TCP"],
    "TCPRouteParentRefPortAndSectionName": REASONS["TCP"],
    "TLSRouteHostnameIntersection": REASONS["TCP"],
    "TLSRouteInvalidBackendRefNonexistent": REASONS["TCP"],
    "TLSRouteMixedTerminationSameNamespace": REASONS["TCP"],
    "TLSRouteSimpleSameNamespace": REASONS["TCP"],
    "TLSRouteTerminateSimpleSameNamespace": REASONS["TCP"],
}
"""What part of Serai is still to come."""
