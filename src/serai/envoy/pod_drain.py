"""How an Envoy in a Pod is told to end, by a GET: a kubelet can send nothing else.

Pure.  A Pod's preStop (serai.kube.ending) asks for a path of its own, and is answered after as many
milliseconds as its header x-envoy-fault-delay-request says: then the kubelet ends the Pod.  Until
then every answer asks its client to close the connection (Envoy's graceful drain), and who has not
heard of the end yet is served all the same.  An Envoy that ended while clients keep connections to
it would break those of them that just send something.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_FILTERS = "type.googleapis.com/envoy.extensions.filters.http."
_LUA = """\
function envoy_on_request(handle)
  local headers = {
    [":method"] = "POST", [":authority"] = "admin",
    [":path"] = "/drain_listeners?graceful&skip_exit",
  }
  handle:httpCall("serai_admin", headers, "", 5000, true)
end
"""


def drain_filters() -> list[Json]:
    """The HTTP filters that the route below needs; they do nothing for any other."""
    return [
        {"name": "serai.drain", "typed_config": {"@type": f"{_FILTERS}lua.v3.Lua"}},
        {"name": "serai.wait", "typed_config": {"@type": f"{_FILTERS}fault.v3.HTTPFault"}},
    ]


def drain_route(path: str) -> Json:
    """The route at that path."""
    delay = {"header_delay": {}, "percentage": {"numerator": 100}}
    return {
        "match": {"path": path},
        "direct_response": {"status": 200},
        "typed_per_filter_config": {
            "serai.drain": {
                "@type": f"{_FILTERS}lua.v3.LuaPerRoute",
                "source_code": {"inline_string": _LUA},
            },
            "serai.wait": {"@type": f"{_FILTERS}fault.v3.HTTPFault", "delay": delay},
        },
    }
