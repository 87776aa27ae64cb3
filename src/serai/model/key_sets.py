"""Key sets of issuers of tokens, as whoever fetches them tells."""

from __future__ import annotations

from serai.ir.origin import Value


class Fetched(Value, frozen=True):
    """What became of fetching a key set."""

    keys: str = ""
    """Public keys only (serai.policies.tokens.keys); empty: there have never been any."""
    failure: str = ""
    """Why it could not be fetched the last time; empty: it was."""
