"""A table of a gateway that is divided -> the route configuration that leads to its parts.

Its one route runs a script in a slot that every such connection manager has for it.  The script
writes the name of the part over the header by which scopes are found, and has Envoy look for the
route once more, before anything else is done with the request.  Nothing of this is in a listener.
"""

from __future__ import annotations

from typing import Any

from serai.ir.route import RouteConfiguration as IrRoutes
from serai.policies.script import quoted, script
from serai.policies.tokens.encode import FILTER as TOKENS
from serai.policies.tokens.encode import per_route
from serai.proto.envoy import RouteConfiguration
from serai.proto.pool import pack
from serai.translate.division import FACTOR, MODULUS, PARTS
from serai.translate.names import DESTINATION_HEADER
from serai.xds.encode.body import of_body
from serai.xds.encode.policies import run, slot
from serai.xds.resource import Resource, ResourceKey, ResourceType

SLOT = "serai.division"
"""Before all others."""

_SCRIPT = """
local header, routes = {header}, {routes}
function envoy_on_request(handle)
  local host = string.lower(handle:headers():get(":authority") or "")
  host = string.gsub(host, ":[^:%]]*$", "")
  local part = 0
  for at = 1, #host do
    part = (part * {factor} + string.byte(host, at)) % {modulus}
  end
  handle:headers():replace(header, routes .. "~" .. part % {parts})
  handle:clearRouteCache()
end
"""


def http_filters() -> tuple[dict[str, Any], ...]:
    """What a connection manager needs, whose routes may be divided."""
    return (slot(SLOT),)


def divided(routes: IrRoutes) -> Resource:
    """A route configuration that leads to its parts.

    It must not reach Envoy before their scopes have, and they stay as long as it may be in force.
    """
    text = _SCRIPT.format(
        header=quoted(DESTINATION_HEADER),
        routes=quoted(routes.name),
        factor=FACTOR,
        modulus=MODULUS,
        parts=PARTS,
    )
    once_more = {
        "name": "divided",
        "direct_response": {"status": 404},
        "typed_per_filter_config": {
            SLOT: run((script(text),)),
            TOKENS: pack(per_route(None)),  # or Envoy would leave it out before the part is known
        },
    }
    message = RouteConfiguration(
        name=routes.name,
        virtual_hosts=[
            {
                "name": "*",
                "domains": ["*"],
                "routes": [{"match": {"prefix": "/"}, **once_more}],
            }
        ],
    )
    body = message.SerializeToString(deterministic=True)
    scopes = tuple(ResourceKey(ResourceType.SCOPE, each) for each in routes.parts)
    return of_body(ResourceType.ROUTES, routes.name, body, routes.origins, scopes)
