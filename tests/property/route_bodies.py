"""Bodies of routes other than HTTPRoutes, and the fields that HTTPRoutes have beside matches."""

from __future__ import annotations

from hypothesis import strategies as st

from property.bodies import Raw, backend_refs, parent_refs

_parents = st.lists(parent_refs, min_size=1, max_size=2)
_hostnames = st.lists(
    st.sampled_from(["one.example", "*.example", "a.one.example"]), min_size=1, max_size=2
)
_calls = st.sampled_from(
    [
        {},
        {"method": {"service": "shop.Cart"}},
        {"method": {"service": "shop.Cart", "method": "Get"}},
        {"method": {"method": "Get"}, "headers": [{"name": "x-a", "value": "b"}]},
        {"method": {"type": "RegularExpression", "service": "shop\\.[a"}},
    ]
)
_grpc_rules = st.fixed_dictionaries(
    {"matches": st.lists(_calls, max_size=2), "backendRefs": st.lists(backend_refs, max_size=2)}
)
_streams = st.lists(
    st.fixed_dictionaries({"backendRefs": st.lists(backend_refs, min_size=1, max_size=2)}),
    min_size=1,
    max_size=1,
)

grpc_routes = st.fixed_dictionaries(
    {
        "spec": st.fixed_dictionaries(
            {"parentRefs": _parents, "rules": st.lists(_grpc_rules, max_size=2)},
            optional={"hostnames": _hostnames},
        )
    }
)
stream_routes = st.fixed_dictionaries(
    {"spec": st.fixed_dictionaries({"parentRefs": _parents, "rules": _streams})}
)
tls_routes = st.fixed_dictionaries(
    {
        "spec": st.fixed_dictionaries(
            {"parentRefs": _parents, "rules": _streams, "hostnames": _hostnames}
        )
    }
)

ROUTE_BODIES: dict[str, st.SearchStrategy[Raw]] = {
    "GRPCRoute": grpc_routes,
    "TCPRoute": stream_routes,
    "UDPRoute": stream_routes,
    "TLSRoute": tls_routes,
}
