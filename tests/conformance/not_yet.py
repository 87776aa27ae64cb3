"""What does not pass today, with the reason.  Strict: what passes has to leave this file."""

from __future__ import annotations

CLUSTER_ONLY: dict[str, str] = {}
"""What cannot be replayed without a cluster."""

NOT_YET: dict[str, str] = {}
"""What part of Serai is still to come."""
