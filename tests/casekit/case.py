"""A case as a folder holds it, and the world it makes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml

from casekit.certificates import made
from casekit.manifests import read_batch
from casekit.requests import Request
from serai.api.meta import Key, Object
from serai.api.problem import Problem
from serai.app.core import Core
from serai.model.settings import Settings
from serai.trace import View

CASES = Path(__file__).parents[1] / "cases"

_WHY = "# why: "


class Stage(msgspec.Struct, frozen=True):
    """A case after some of its steps."""

    step: int
    world: Core
    problems: tuple[Problem, ...]
    """Of the manifests as they are now, and of the pipeline."""

    @property
    def view(self) -> View:
        """What trace reads."""
        return View(self.world.pipeline.attached, self.world.pipeline.translated)


class Case(msgspec.Struct, frozen=True):
    """A folder with input.yaml."""

    folder: Path
    why: str

    @property
    def name(self) -> str:
        """``area/claim``."""
        return self.folder.relative_to(CASES).as_posix()

    @property
    def files(self) -> tuple[Path, ...]:
        """The input, then each step."""
        return (self.folder / "input.yaml", *sorted((self.folder / "steps").glob("*.yaml")))

    @property
    def requests(self) -> tuple[Request, ...]:
        """What requests.yaml lists; nothing if there is none."""
        path = self.folder / "requests.yaml"
        if not path.exists():
            return ()
        return tuple(msgspec.convert(yaml.safe_load(path.read_text()), list[Request]))

    def requests_at(self, step: int) -> tuple[Request, ...]:
        """Those that are sent after some number of steps."""
        last = len(self.files) - 1
        return tuple(
            each for each in self.requests if (last if each.step is None else each.step) == step
        )

    @property
    def settings(self) -> Settings:
        """What settings.yaml says, over the defaults."""
        path = self.folder / "settings.yaml"
        return msgspec.convert(yaml.safe_load(path.read_text()) if path.exists() else {}, Settings)

    def stages(self, address: str = "", vips: str = "") -> Iterator[Stage]:
        """The case's world after its input, then after each step; it is one and the same world.

        With an `address`, Gateways that ask for none listen there; with `vips`, those are
        allocated from there unless settings.yaml says otherwise.
        """
        settings = self.settings
        if address:
            settings = msgspec.structs.replace(settings, bind=address, proxy_bind=(address,))
        if vips and not settings.vip_range_v4:
            settings = msgspec.structs.replace(settings, vip_range_v4=vips)
        world = Core(settings)
        world.apply(self.secrets())
        told: dict[Key | None, tuple[Problem, ...]] = {}
        for step, path in enumerate(self.files):
            batch = read_batch(path)
            for key in [*batch.removed, *(each.key for each in batch.changed)]:
                told.pop(key, None)
            for problem in batch.problems:
                told[problem.key] = (*told.get(problem.key, ()), problem)
            world.apply(batch.changed, batch.removed)
            decoded = [problem for problems in told.values() for problem in problems]
            found = [problem for _, problem in world.pipeline.problems.items()]
            yield Stage(step, world, (*decoded, *found))

    def secrets(self) -> tuple[Object, ...]:
        """The Secrets that certificates.yaml asks for."""
        path = self.folder / "certificates.yaml"
        return made(yaml.safe_load(path.read_text())) if path.exists() else ()

    def expected(self) -> dict[str, Any]:
        """By name of file: what must be true of the world after all steps."""
        return {
            path.stem: yaml.safe_load(path.read_text())
            for path in sorted((self.folder / "expected").glob("*.yaml"))
        }


def cases() -> list[Case]:
    """Every case there is, by name."""
    return [load(path.parent) for path in sorted(CASES.glob("*/*/input.yaml"))]


def load(folder: Path) -> Case:
    """One case.  Its input begins with why it exists."""
    first = (folder / "input.yaml").read_text().partition("\n")[0]
    if not first.startswith(_WHY):
        raise ValueError(f"{folder}/input.yaml must begin with {_WHY!r}")
    return Case(folder, first.removeprefix(_WHY))
