"""How a Pod with an Envoy ends: drained first, for as long as clients take to leave.

Pure.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

DRAIN_SECONDS = 20
"""For all who reach a Service to hear of its end, and for requests in flight."""

GRACE_SECONDS = 60
"""After which it is killed, whatever it does."""

DRAIN_ARGUMENTS = ("--drain-strategy", "immediate")
"""Every answer asks for its connection's end, from the first; else few do in the first minutes."""


def drain_path(uid: str) -> str:
    """Where the Envoys of a Gateway with this uid are told to drain; nobody guesses it.

    Whoever may read the Gateway or its Pods can tell it: that ends nothing, but slows it down.
    """
    return f"/drain/{sha256(f'drain {uid}'.encode()).hexdigest()[:32]}"


def drained(uid: str, port: int, seconds: int = DRAIN_SECONDS) -> dict[str, Any]:
    """The preStop of an Envoy of that Gateway, answered by serai.envoy.pod_drain after so long."""
    return {"httpGet": {"path": drain_path(uid), "port": port, "httpHeaders": [wait(seconds)]}}


def wait(seconds: int) -> dict[str, str]:
    """The header that says after how long it is answered."""
    return {"name": "x-envoy-fault-delay-request", "value": str(seconds * 1000)}
