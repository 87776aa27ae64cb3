"""An instance made of files, as the admin API sees one that runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from serai.app.offline import Folder
from serai.model.settings import Settings
from serai.views.state import (
    ClientState,
    Counts,
    EndpointHealth,
    EnvoyState,
    Facts,
    State,
)
from serai.web.instance import Changes
from serai.xds.resource import ResourceType

Found = TypeVar("Found")

WORLDS = Path(__file__).parents[1] / "cli" / "worlds"

FACTS = Facts(
    live=True,
    envoys=(
        EnvoyState("infra/edge", "ready", pid=11, admin="127.0.0.1:15000"),
        EnvoyState("infra/waypoint", "crash-looping", restarts=4),
    ),
    clients=(
        ClientState(
            "edge.infra",
            "infra/edge",
            acknowledged=((ResourceType.CLUSTER, 5), (ResourceType.LISTENER, 1)),
            waiting=2,
        ),
        ClientState(
            "waypoint.infra",
            "infra/waypoint",
            rejected=1,
            refusals=(("tcp_x", "no such <filter>"),),
        ),
        ClientState("lost.else", "else/lost", known=False),
    ),
    health={
        "kube_shop_reviews_9080": (EndpointHealth("127.0.0.11:9081", False, "failed_active_hc"),),
        "istio-se_shop_payments_payments.example.com_80": (
            EndpointHealth("127.0.0.41:80", True),
            EndpointHealth("127.0.0.42:80", False),
        ),
    },
    counts=Counts(commits=3, pushed=12, acknowledged=9, rejected=1),
)


class FolderInstance:
    """Files as a running instance."""

    def __init__(self, *paths: Path, facts: Facts = FACTS) -> None:
        self.changes = Changes()
        self.waiting = ""
        self.lacking = ""
        self.asked: list[bool] = []
        """For each question, whether it needs the Envoys' answers."""
        self.facts = facts
        self._folder = Folder(paths, Settings())
        self._found = self._folder.read()

    def state(self) -> State:
        found = self._found
        return State(found.pipeline, found.problems, found.places, self.facts)

    async def read(self, question: Callable[[State], Found], *, health: bool = False) -> Found:
        self.asked.append(health)
        return question(self.state())

    def waiting_for(self) -> str:
        return self.waiting

    def lacks(self) -> str:
        return self.lacking

    def reread(self) -> None:
        self._found = self._folder.read()
        self.changes.tell()
