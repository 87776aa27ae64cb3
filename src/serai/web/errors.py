"""Why a running instance gave no answer."""

from __future__ import annotations


class UnreachableError(Exception):
    """Nobody answers at the admin address, or not as an instance would."""


class RefusedError(Exception):
    """The instance cannot answer what it was asked, and says why."""
