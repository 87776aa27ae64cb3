"""Whose token it is, as the API server says; asked once for each while it holds."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import msgspec

from serai.kube.access import Access
from serai.kube.resource import Resource

REVIEWS = Resource("authentication.k8s.io", "v1", "tokenreviews", "TokenReview")

KNOWN_SECONDS = 300.0
"""How long a good answer is believed: then it is found out that a Pod is gone."""
REFUSED_SECONDS = 10.0
"""How long a bad one: somebody who tries again and again is no load for the API server."""
UNKNOWN_LIFE_SECONDS = 3600.0
MOST_TOKENS = 4096
MOST_BYTES = 16 * 1024
"""Of a token; the API server's own are some 1 KiB."""


class Reviewed(msgspec.Struct, frozen=True):
    """What the API server says of a token."""

    user: str
    """Empty: it is nobody's."""
    expires: float
    """Unix time."""
    why: str = ""
    """It is nobody's."""


class TokenReviews:
    """Asks, and remembers the answers."""

    def __init__(self, access: Access, audience: str, now: Callable[[], float]) -> None:
        """`audience` is whom the tokens have to be meant for; `now` is Unix time."""
        self._access = access
        self._audience = audience
        self._now = now
        self._known: OrderedDict[bytes, tuple[float, Reviewed]] = OrderedDict()

    async def review(self, token: str) -> Reviewed:
        """Whose it is.  Raises ApiError if that cannot be asked, and remembers nothing of it."""
        if len(token) > MOST_BYTES:
            return Reviewed("", 0.0, "it is too long to be a token")
        digest, now = sha256(token.encode()).digest(), self._now()
        until, found = self._known.get(digest, (0.0, None))
        if found is not None and now < until:
            self._known.move_to_end(digest)
            return found
        body = {"apiVersion": REVIEWS.api_version, "kind": REVIEWS.kind}
        spec = {"token": token, "audiences": [self._audience]}
        answer = await self._access.create(REVIEWS, "", {**body, "spec": spec})
        found = self._read(answer.get("status") or {}, token)
        until = min(found.expires, now + KNOWN_SECONDS) if found.user else now + REFUSED_SECONDS
        self._known[digest] = until, found
        while len(self._known) > MOST_TOKENS:
            self._known.popitem(last=False)
        return found

    def _read(self, status: dict[str, Any], token: str) -> Reviewed:
        if not status.get("authenticated"):
            return Reviewed("", 0.0, str(status.get("error") or "the API server does not know it"))
        # An authenticator that knows no audiences names none.
        if self._audience not in (status.get("audiences") or ()):
            return Reviewed("", 0.0, f"it is not meant for {self._audience}")
        user = str((status.get("user") or {}).get("username") or "")
        now = self._now()
        expires = _expiry(token) or now + UNKNOWN_LIFE_SECONDS
        # The API server has just found it good: one that has ended by our clock tells that ours is
        # wrong.  Were it believed, every proxy would be sent away, and come back, each second.
        return Reviewed(user, expires if expires > now else now + KNOWN_SECONDS)


class _Claims(msgspec.Struct):
    exp: float = 0.0


def _expiry(token: str) -> float:
    """When it ends, as it says itself: the API server has verified that; 0 if it says nothing."""
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004  a JWT
        return 0.0
    try:
        raw = urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return msgspec.json.decode(raw, type=_Claims).exp
    except (Base64Error, ValueError, msgspec.DecodeError):
        return 0.0
