"""The filter ExternalAuth of an HTTPRoute.  Gateway API: HTTPExternalAuthFilter (GEP-1494).

It is the feature extAuth of policies, most specific: asked is whom the route names.
"""

from __future__ import annotations

from collections.abc import Iterable

from serai.api.httproute import HTTPExternalAuthFilter
from serai.policies.ext_auth import Asking, Question
from serai.policies.extension import Body, ExtAuth
from serai.policies.services import Called

TIMEOUT_SECONDS = 2.0
OWN = (":", "conn", "content-l", "host", "keep-", "trail", "transf")
"""How headers begin that are of one message only, whoever copies the others."""
FIRST, LAST = "!", "~"
"""Of the letters that names are made of."""


def external_auth(found: HTTPExternalAuthFilter, cluster: str) -> Asking:
    """Whom to ask, and what is shown to it and taken from it; where it fails, nobody passes."""
    http, grpc = found.http, found.grpc
    allowed = http.allowed_headers if http else grpc.allowed_headers if grpc else ()
    size = found.forward_body.max_size if found.forward_body else 0
    copied = tuple(http.allowed_response_headers) if http else ()
    asks = ExtAuth(
        service=Called(cluster, timeout_seconds=TIMEOUT_SECONDS),
        grpc=found.protocol == "GRPC",
        forwarded=tuple(allowed),
        body=Body(size) if size else None,
        path_prefix=(http.path or "") if http else "",
        to_backend=copied,
        to_backend_matching=() if copied or found.protocol == "GRPC" else other_than(OWN),
    )
    return Asking((Question(asks),))


def other_than(beginnings: Iterable[str]) -> tuple[str, ...]:
    """Regular expressions for all names but those that begin so.

    RE2 cannot say "not"; so what is said is where a name leaves all of these, and one by one,
    since Envoy takes no expression that is long.
    """
    words = tuple(beginnings)
    left = sorted({word[:end] for word in words for end in range(len(word))})
    return tuple(
        f"{so_far}({_none_of({word[len(so_far)] for word in words if word.startswith(so_far)})}.*)?"
        for so_far in left
    )


def _none_of(letters: set[str]) -> str:
    """A letter that is none of these."""
    ranges, start = [], ord(FIRST)
    for code in [*sorted(map(ord, letters)), ord(LAST) + 1]:
        if start < code:
            ranges.append(f"{chr(start)}-{chr(code - 1)}")
        start = code + 1
    return f"[{''.join(ranges)}]"
