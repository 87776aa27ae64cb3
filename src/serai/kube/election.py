"""Who leads: a Lease that is renewed, as client-go's leader election does it, without I/O.

Times of other machines are never compared with ours: a lease has run out when we have seen it
unchanged for as long as it says.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

LEASE_SECONDS = 15
RENEW_SECONDS = 10.0
"""Who could not renew for so long no longer leads: before anybody else may."""
RETRY_SECONDS = 2.0

Json = dict[str, Any]


class Election:
    """One candidate.  `now` is of a clock that never goes back; `wall` is what is written."""

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self.holder = ""
        """Who leads, as far as we have seen."""
        self._seen: tuple[Any, ...] = ()
        self._seen_at = 0.0
        self._seconds = float(LEASE_SECONDS)
        self._renewed: float | None = None

    def leading(self, now: float) -> bool:
        """Whether we lead at this moment."""
        return self._renewed is not None and now < self._renewed + RENEW_SECONDS

    def saw(self, lease: Json | None, now: float, wall: datetime) -> Json | None:
        """The lease was read; the one to write in its place, or None to wait."""
        spec = dict((lease or {}).get("spec") or {})
        holder = spec.get("holderIdentity") or ""
        state = (holder, spec.get("renewTime"), spec.get("leaseTransitions"))
        if state != self._seen:
            self._seen, self._seen_at = state, now
        self.holder = holder
        self._seconds = float(spec.get("leaseDurationSeconds") or LEASE_SECONDS)
        if holder != self.identity:
            self._renewed = None
            if holder and now < self._seen_at + self._seconds:
                return None
        return self._claimed(lease, spec, holder, wall)

    def wrote(self, began: float) -> bool:
        """Our lease was taken; `began` is when we began to ask.  Whether we lead only since now."""
        new = not self.leading(began)
        self._renewed = began
        self.holder = self.identity
        return new

    def released(self, lease: Json, wall: datetime) -> Json:
        """The lease given up, so that nobody waits for it to run out."""
        self._renewed = None
        spec = {**lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
        return {**lease, "spec": {**spec, "renewTime": _micro(wall)}}

    def _claimed(self, lease: Json | None, spec: Json, holder: str, wall: datetime) -> Json:
        taken = holder != self.identity
        now = _micro(wall)
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            **(lease or {}),
            "spec": {
                **spec,
                "holderIdentity": self.identity,
                "leaseDurationSeconds": LEASE_SECONDS,
                "acquireTime": now if taken else spec.get("acquireTime", now),
                "renewTime": now,
                "leaseTransitions": int(spec.get("leaseTransitions") or 0)
                + (taken and lease is not None),
            },
        }


def _micro(wall: datetime) -> str:
    return wall.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
