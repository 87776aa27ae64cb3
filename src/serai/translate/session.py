"""rules[].sessionPersistence -> ir.Session.  Gateway API: SessionPersistence, GEP-1619."""

from __future__ import annotations

from hashlib import sha256

from serai.api.duration import seconds
from serai.api.httproute import SessionCookie, SessionPersistence
from serai.api.meta import Key
from serai.ir.route import Session


def session(key: Key, rule: str, asked: SessionPersistence) -> tuple[Session, tuple[str, ...]]:
    """The session that a rule asks for, and in words what of it cannot be kept to.

    Envoy puts the endpoint into the cookie or header and remembers nothing, so that only a
    cookie's own lifetime ends a session.
    """
    untrue: list[str] = []
    lifetime = seconds(asked.absolute_timeout) if asked.absolute_timeout else None
    if asked.idle_timeout:
        untrue.append("idleTimeout is not kept to: what is idle is nowhere remembered")
    if asked.type == "Header":
        if lifetime is not None:
            untrue.append("absoluteTimeout is not kept to: a header has no lifetime")
        named = asked.header.name if asked.header else asked.session_name
        return Session(named or _unique(key, rule), header=True), tuple(untrue)
    cookie = asked.cookie or asked.cookie_config or SessionCookie()
    permanent = cookie.lifetime_type == "Permanent"
    if lifetime is not None and not permanent:
        untrue.append("absoluteTimeout is not kept to: the cookie's lifetimeType is Session")
    name = cookie.name or asked.session_name or _unique(key, rule)
    kept = lifetime if permanent else None
    return Session(name, path=cookie.path, lifetime_seconds=kept), tuple(untrue)


def _unique(key: Key, rule: str) -> str:
    digest = sha256(f"{key.kind}/{key.namespace}/{key.name}/{rule}".encode()).hexdigest()
    return f"serai-session-{digest[:12]}"
