"""Worlds for views: manifests in, a state out."""

from __future__ import annotations

from pathlib import Path

from serai.app.offline import Folder, Offline
from serai.model.settings import Settings
from serai.views.state import Facts, State

SHOP = Path(__file__).parents[2] / "cli" / "worlds" / "shop"


def read(*paths: Path) -> Offline:
    return Folder(paths, Settings()).read()


def state_of(*paths: Path, facts: Facts | None = None) -> State:
    found = read(*paths)
    return State(found.pipeline, found.problems, found.places, facts or Facts())


def written(folder: Path, text: str, *, facts: Facts | None = None) -> State:
    """The state of one file with this text."""
    (folder / "world.yaml").write_text(text)
    return state_of(folder, facts=facts)
