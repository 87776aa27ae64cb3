"""What a person must know of objects, told as Events on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from serai.api.kinds import by_kind
from serai.api.meta import Key
from serai.kube.deployed import Drift
from serai.kube.events import About, Events, Happened
from serai.xds.refusals import BY_ENVOY, Refusal

CONTESTED = 3
"""From so many changes in a row on it is said that somebody fights us."""


class Happenings:
    """Turns what happened into Events."""

    def __init__(self, events: Events, uid: Callable[[Key], str]) -> None:
        """`uid` gives an object's, as the API server has it; empty: it is not known."""
        self._events = events
        self._uid = uid

    def not_deployed(self, gateway: Key, why: str) -> None:
        """The API server did not take what the Gateway's Envoys are made of."""
        note = f"Its Envoys could not be deployed, and it is tried again: {why}"
        self._tell(gateway, "DeployFailed", "Deploy", note)

    def left_alone(self, gateway: Key, what: str) -> None:
        """Somebody else has an object of a name that the Gateway needs."""
        note = (
            f"{what} is there and not owned by this Gateway, so its Envoys are left to whoever"
            " deploys them. Rename one of them, or ask for spec.selfManaged in GatewayParameters."
        )
        self._tell(gateway, "NotOwned", "Deploy", note)

    def drifted(self, drift: Drift, count: int) -> None:
        """What was deployed was changed or deleted by somebody, `count` times in a row."""
        what = f"{drift.kind} {drift.name}"
        if count < CONTESTED:
            did = "deleted" if drift.gone else f"changed by {drift.by or 'somebody'}"
            note = f"{what} was {did}, and is put back as the Gateway asks for it."
            self._tell(drift.gateway, "DriftCorrected", "Deploy", note, "Normal")
            return
        who = drift.by or "Somebody"
        note = (
            f"{who} goes on changing {what}. It is put back ever later; change the Gateway's"
            " parameters in its place, or ask for spec.selfManaged."
        )
        self._tell(drift.gateway, "DriftContested", "Deploy", note)

    def refused(self, gateway: Key, refusals: Iterable[Refusal]) -> None:
        """Envoys of a Gateway refuse these."""
        for refusal in refusals:
            if refusal.code != BY_ENVOY:
                continue
            for origin in refusal.origins:
                where = f" {origin.path}" if origin.path else ""
                note = (
                    f"An Envoy of Gateway {gateway.namespaced_name} refused what comes of"
                    f"{where or ' this'}, and keeps what it had: {refusal.message}"
                )
                self._tell(origin.key, "RefusedByEnvoy", "Program", note)

    def leading(self, namespace: str, lease: str, identity: str) -> None:
        """We lead from now on."""
        about = About("coordination.k8s.io/v1", "Lease", namespace, lease)
        note = f"{identity} became leader"
        self._events.tell(Happened(about, "LeaderElection", "Lead", note))

    def _tell(
        self,
        key: Key,
        reason: str,
        action: str,
        note: str,
        severity: Literal["Normal", "Warning"] = "Warning",
    ) -> None:
        kind = by_kind(key.kind)
        if kind is None:
            return
        about = About(kind.api_version, key.kind, key.namespace, key.name, self._uid(key))
        self._events.tell(Happened(about, reason, action, note, severity))
