"""Ends the connections of clients that still come for what is captured no more.

All that a waypoint captures shares one connection manager, so Envoy drains nobody when a service
goes: a client that keeps its connection would be answered 404 on it for as long as it keeps it,
though its next connection would go where the service is now.  So whoever asks for a destination
without routes is told with the answer that this was the last one: `connection: close`, or GOAWAY.
"""

from __future__ import annotations

from typing import Any

from serai.policies.script import script
from serai.proto.envoy import (
    CelMatcher,
    Composite,
    ExecuteFilterAction,
    ExtensionWithMatcher,
    FilterConfig,
    HttpAttributesCelMatchInput,
    SkipFilter,
)
from serai.proto.pool import pack
from serai.xds.encode.body import extension

_FILTER = "serai.leaving"

_SCRIPT = """
function envoy_on_request(handle)
  handle:streamInfo():drainConnectionUponCompletion()
end
"""

_HAS_HOST = {
    "call_expr": {
        "function": "_!=_",
        "args": [
            {
                "select_expr": {
                    "operand": {"ident_expr": {"name": "xds"}},
                    "field": "virtual_host_name",
                }
            },
            {"const_expr": {"string_value": ""}},
        ],
    }
}
"""``xds.virtual_host_name != ""``: not true where there is no such thing."""


def http_filter() -> dict[str, Any]:
    """What a connection manager needs that finds its routes by destination.

    A service that is there, but without a route for the request, keeps its clients.
    """
    known = CelMatcher(expr_match={"cel_expr_parsed": {"expr": _HAS_HOST}})
    predicate = {
        "single_predicate": {
            "input": extension("request", HttpAttributesCelMatchInput()),
            "custom_match": extension("envoy.matching.matchers.cel_matcher", known),
        }
    }
    end = ExecuteFilterAction(filter_chain={"typed_config": [extension(*script(_SCRIPT))]})
    matcher = {
        "matcher_list": {
            "matchers": [
                {
                    "predicate": predicate,
                    "on_match": {"action": extension("stay", SkipFilter())},
                }
            ]
        },
        "on_no_match": {"action": extension("end", end)},
    }
    composite = extension("envoy.filters.http.composite", Composite())
    return extension(_FILTER, ExtensionWithMatcher(xds_matcher=matcher, extension_config=composite))


def stays() -> dict[str, Any]:
    """The `typed_per_filter_config` of every route configuration.

    So nobody looks at requests that have a route.
    """
    return {_FILTER: pack(FilterConfig(disabled=True))}
