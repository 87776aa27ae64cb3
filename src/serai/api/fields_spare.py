"""Which unknown fields an object can be used without: those that keep nobody out.

An API server whose definitions are newer than ours admits fields that we do not know.  Without one
of them an object mostly does less than was asked for, and says so.  But where such a field may
narrow whom or what something is for, doing without it would let more through.
"""

from __future__ import annotations

import re

from serai.api.kinds import Kind

NARROWING: dict[str, str] = {
    "Gateway.spec.allowedListeners": "whose listeners are taken",
    "Gateway.spec.listeners.allowedRoutes": "whose routes are taken",
    "Gateway.spec.listeners.tls": "which clients are taken",
    "Gateway.spec.tls": "which clients are taken, and which servers are trusted",
    "ListenerSet.spec.listeners.allowedRoutes": "whose routes are taken",
    "ListenerSet.spec.listeners.tls": "which clients are taken",
    "HTTPRoute.spec.rules.matches": "which requests a rule is for",
    "HTTPRoute.spec.rules.filters.externalAuth": "who is asked whether a request may pass",
    "HTTPRoute.spec.rules.backendRefs.filters.externalAuth": "likewise",
    "GRPCRoute.spec.rules.matches": "which requests a rule is for",
    "ReferenceGrant.spec": "who may refer to what",
    "GatewayExtension.spec": "who is asked whether a request may pass",
}
"""Fields below which nothing is spare, and what they say."""

_INDEX = re.compile(r"\[[^]]*\]")


def is_spare(kind: Kind, path: str) -> bool:
    """Whether an object of a kind can be used without an unknown field of it."""
    if kind.restricts:
        return False
    names = (kind.name, *_INDEX.sub("", path).split("."))
    return not any(".".join(names[:length]) in NARROWING for length in range(2, len(names)))
