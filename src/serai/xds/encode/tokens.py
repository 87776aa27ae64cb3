"""TokenFilter -> the filter for tokens, a resource of its own (ECDS).

Envoy: envoy.filters.http.jwt_authn.  Every connection manager has it, disabled: a route that asks
for tokens enables it by naming what it requires.
"""

from __future__ import annotations

from typing import Any

from serai.policies.tokens.encode import FILTER, encode_filter
from serai.policies.tokens.keys import NOBODYS
from serai.proto.envoy import TypedExtensionConfig
from serai.proto.pool import TYPE_URL_PREFIX, pack
from serai.translate.tokens import TokenFilter
from serai.xds.encode.body import ADS, resource
from serai.xds.resource import Resource, ResourceType

TYPE = "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication"


def filter_of_manager() -> dict[str, Any]:
    """Its place in a connection manager."""
    found = {"config_source": ADS, "type_urls": [TYPE_URL_PREFIX + TYPE]}
    return {"name": FILTER, "config_discovery": found, "disabled": True}


def encode_token_filter(found: TokenFilter) -> Resource:
    """All that the routes of a proxy require of tokens."""
    held = dict(found.keys)
    named = {each.name: each for each in found.requirements}
    config = encode_filter(named, lambda source: held.get(source, NOBODYS))
    message = TypedExtensionConfig(name=FILTER, typed_config=pack(config))
    return resource(ResourceType.EXTENSION, FILTER, message, found.origins)
