"""Which known fields may go unread without a word, and why."""

from __future__ import annotations

UNTOLD: dict[str, str] = {
    "*.apiVersion": "read by the table of kinds",
    "*.kind": "read by the table of kinds",
    "*.metadata": "written by the API server, or by tools for themselves",
    "*.status": "written by controllers, and read from them only",
    "Namespace": "its labels and annotations say all about traffic",
    "Node": "its labels say all about traffic",
    "Pod.spec": "how a Pod runs; what it serves is in its ports",
    "Secret.immutable": "whether it may change, which the API server decides",
    "ConfigMap.immutable": "whether it may change, which the API server decides",
    "EndpointSlice.endpoints.hints": "computed by the API server for kube-proxy",
    "EndpointSlice.endpoints.hostname": "a DNS name of the Pod; traffic goes to its address",
    "EndpointSlice.endpoints.deprecatedTopology": "repeats nodeName and zone",
    "EndpointSlice.endpoints.topology": "repeats nodeName and zone",
    "EndpointSlice.endpoints.targetRef": "the kind and the name identify it",
    "Service.spec.ipFamilies": "repeats what the addresses say",
    "Service.spec.ports.nodePort": "a way in that passes by Serai, usually allocated",
    "Service.spec.healthCheckNodePort": "a way in that passes by Serai, usually allocated",
    "Service.spec.allocateLoadBalancerNodePorts": "a way in that passes by Serai",
    "Service.spec.loadBalancerClass": "which other controller makes a load balancer",
    "GatewayClass.spec.description": "a text for people",
    "HTTPRoute.spec.rules.filters": "a filter is told by its type (serai.api.validate_filters)",
    "Backend.spec.aws": "told as a whole: the type is not supported (serai.check.backends)",
    "Backend.spec.gcp": "told as a whole: the type is not supported (serai.check.backends)",
    "Backend.spec.type": "repeats which of the others is there",
    "HTTPRoute.spec.rules.backendRefs.filters": "a filter is told by its type",
    "GRPCRoute.spec.rules.filters": "a filter is told by its type",
    "GRPCRoute.spec.rules.backendRefs.filters": "a filter is told by its type",
}
"""Field, by kind and names, to the reason; with it goes all below it.  ``*`` is every kind."""

USUAL: dict[str, tuple[object, ...]] = {
    "Service.spec.sessionAffinity": ("None",),
    "Service.spec.internalTrafficPolicy": ("Cluster",),
    "Service.spec.externalTrafficPolicy": ("Cluster",),
    "Service.spec.ipFamilyPolicy": ("SingleStack",),
}
"""Values that ask for what is done anyway, beyond the defaults that known_fields.txt has."""


def untold(field: str) -> bool:
    """Whether a field such as ``Service.spec.ipFamilies`` may be ignored without a warning."""
    names = field.split(".")
    paths = [".".join(names[:length]) for length in range(1, len(names) + 1)]
    anywhere = [".".join(("*", *names[1:length])) for length in range(2, len(names) + 1)]
    return any(path in UNTOLD for path in (*paths, *anywhere))


def usual_values(field: str) -> tuple[object, ...]:
    """The values of an unread field that change nothing."""
    return USUAL.get(field, ())
