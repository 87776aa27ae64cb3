"""What `serai run` says of its Envoys: each thing once, in a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from serai.api.problem import Problem
from serai.app.compose import standalone
from serai.app.console import TOLD, Console
from serai.app.core import Committed
from serai.app.standalone import Change, Options, Standalone
from serai.envoy.event import EventKind, FleetEvent
from serai.envoy.listening import port_in_use
from serai.model.settings import Settings
from serai.sources.batch import Batch

PORT = port_in_use("127.0.0.1", 8080, None, "Gateway infra/edge")


class Spoken(msgspec.Struct):
    """A console and its lines, without the time."""

    instance: Standalone
    lines: list[str]

    def hear(self, kind: EventKind, message: str, gateway: str = "infra/edge") -> list[str]:
        """What is said when this happens."""
        details: dict[str, str | int | float] = {"address": "127.0.0.1", "port": 8080}
        self.lines.clear()
        self.instance.on_event(
            FleetEvent(
                kind=kind, gateway=gateway, message=message, remedy="Read\nthis.", details=details
            )
        )
        return [line.partition(" ")[2] for line in self.lines]


@pytest.fixture
def spoken(tmp_path: Path) -> Iterator[Spoken]:
    folder = tmp_path / "manifests"
    folder.mkdir()
    instance, _ = standalone([folder], Settings(), Options(no_envoy=True), tmp_path / "state")
    assert instance is not None
    lines: list[str] = []
    Console(instance, lines.append)
    yield Spoken(instance, lines)
    instance.instance.release()


def test_a_death_is_told_and_its_end_too(spoken: Spoken) -> None:
    assert spoken.hear("ready", "is ready") == [], "the first time is no news"
    assert spoken.hear("died", "ended by SIGKILL.") == ["ended by SIGKILL. Read this."]
    assert spoken.hear("started", "was started") == []
    assert spoken.hear("ready", "is ready") == ["is ready. Read this."]
    assert spoken.hear("ready", "is ready") == []


def test_a_crash_loop_is_told_once_until_it_is_over(spoken: Spoken) -> None:
    for _ in range(3):
        assert spoken.hear("died", "ended")
    assert spoken.hear("crash-looping", "died 3 times")
    assert spoken.hear("died", "ended") == []
    assert spoken.hear("crash-looping", "died 9 times") == []
    assert spoken.hear("died", "ended", "infra/other"), "another Gateway's is another story"
    assert spoken.hear("ready", "is ready")
    assert spoken.hear("died", "ended")


def test_a_port_that_is_told_as_a_problem_is_not_told_again(spoken: Spoken) -> None:
    assert spoken.hear("port-taken", PORT.message) == [f"{PORT.message} Read this."]

    spoken.instance.batch = Batch(problems=(PORT,))
    spoken.instance.on_change(_nothing_new())

    assert any("SER0904" in line for line in spoken.lines)
    assert spoken.hear("port-taken", PORT.message) == []


def test_problems_are_not_looked_at_while_none_came_or_went(
    spoken: Spoken, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Batch] = []
    find = spoken.instance.problems

    def looked() -> tuple[Problem, ...]:
        looks.append(spoken.instance.batch)
        return find()

    monkeypatch.setattr(spoken.instance, "problems", looked)
    committed = Committed({}, (), problems=False)

    spoken.instance.on_change(Change(Batch(), committed))
    assert not looks

    spoken.instance.batch = Batch(problems=(PORT,))
    for _ in range(2):
        spoken.instance.on_change(Change(Batch(), committed))
    assert len(looks) == 1 and any("SER0904" in line for line in spoken.lines)

    spoken.instance.on_change(_nothing_new())
    assert len(looks) == 2


def test_what_is_told_here_is_no_warning_in_the_log_as_well(tmp_path: Path) -> None:
    instance, _ = standalone([tmp_path], Settings(), Options(), tmp_path / "state")
    assert instance is not None and instance.fleet is not None

    Console(instance, lambda _: None)

    assert instance.fleet.told_elsewhere == TOLD
    instance.instance.release()


def _nothing_new() -> Change:
    return Change(Batch(), Committed({}, (), problems=True))


def test_a_gateway_that_an_envoy_is_asked_for_and_that_is_not_there_is_told(tmp_path: Path) -> None:
    options = Options(no_envoy=True, only=frozenset({"infra/nope"}))
    instance, _ = standalone([tmp_path], Settings(), options, tmp_path / "state")
    assert instance is not None
    lines: list[str] = []
    Console(instance, lines.append)._welcome(0.1)
    instance.instance.release()

    assert "warning  there is no Gateway infra/nope of a class of ours (--gateway)" in lines
