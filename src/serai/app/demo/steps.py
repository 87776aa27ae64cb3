"""What a demo does, step by step, as written beside its example."""

from __future__ import annotations

from pathlib import Path

import msgspec
import yaml

from serai.api.problem import Place, Problem

Fact = str | int | tuple[str, ...]


class Edit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A change to one file of the example."""

    file: str
    replace: str = ""
    """A text that occurs once."""
    by: str = ""
    remove: str = ""
    """Removes the one document that has this text in it."""

    def apply(self, text: str) -> str:
        """The file's new text.  ValueError if the text to change is not there once."""
        if self.remove:
            documents = text.split("\n---\n")
            left = [each for each in documents if self.remove not in each]
            if len(documents) - len(left) != 1:
                raise ValueError(f"{self.file}: not exactly one document has {self.remove!r}")
            return "\n---\n".join(left).rstrip("\n") + "\n"
        if text.count(self.replace) != 1:
            raise ValueError(f"{self.file}: {self.replace!r} does not occur exactly once")
        return text.replace(self.replace, self.by)


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Something that is done, and what must come of it."""

    step: str
    """What it shows."""
    change: tuple[Edit, ...] = ()
    """Done first; then the rest is tried until it is as expected."""
    get: str = ""
    """A URL to ask for."""
    as_: str = msgspec.field(name="as", default="")
    """The identity to ask with."""
    via: str = ""
    """As `serai request --via`."""
    times: int = 1
    problems: tuple[str, ...] | None = None
    """Every problem that `serai run` tells: parts of its line in their order, `...` between."""
    expect: dict[str, Fact] = {}
    """What must be found, by name (demo_facts); what is not named may be anything."""
    measured: bool = True
    """Whether the change leads to other endpoints, so that the time it takes can be measured."""

    @property
    def arrives(self) -> bool:
        """Whether there is an arrival to measure."""
        return bool(self.change and self.measured and "answered by" in self.expect)


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A demo."""

    title: str
    steps: tuple[Step, ...]


def read_script(text: str, file: Path) -> Script | Problem:
    """A demo from its YAML."""
    try:
        return msgspec.convert(yaml.safe_load(text), Script)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        return Problem(
            "SER0811", "error", f"The steps can't be read: {error}.", place=Place(str(file))
        )
