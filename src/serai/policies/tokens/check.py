"""What is wrong with a provider, wherever it was written."""

from __future__ import annotations

from serai.api.syntax import is_header_name
from serai.policies.feature import Fault
from serai.policies.tokens.requirement import Provider

FIXED = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "te", "upgrade", "expect"}
)
"""Headers that say where a request begins and ends, and where it goes."""
LONGEST = 2048


def fault_in(provider: Provider) -> Fault | None:
    """The first thing that Envoy would refuse; None if all is well.

    What Envoy refuses would cost the policies of all others, which come in the same resource.
    """
    for name in provider.written:
        if not is_header_name(name) or name in FIXED:
            return Fault("", f'"{name}" is no header that can be written')
    for header in provider.headers:
        if not is_header_name(header.name):
            return Fault("", f'"{header.name}" is no header')
        if not _is_plain(header.prefix):
            return Fault("", f'"{header.prefix}" is no prefix of a header')
    texts = (
        provider.issuer,
        *provider.audiences,
        *provider.params,
        *provider.cookies,
        *provider.spaced,
        *(each.claim for each in provider.outputs),
    )
    odd = next((each for each in texts if not _is_plain(each)), None)
    if odd is not None:
        return Fault("", f"{odd!r} has characters that it cannot have")
    empty = (*provider.params, *provider.cookies, *(each.claim for each in provider.outputs))
    return None if all(empty) else Fault("", "a parameter, cookie or claim has no name")


def _is_plain(text: str) -> bool:
    return len(text) <= LONGEST and text.isprintable()
