"""A Containerfile's instructions, and their steps carried out in a folder.

There need be no container runtime: the steps see the folder as /opt, in a namespace of their own,
where everything that the images' stages make lies.
"""

from __future__ import annotations

import fnmatch
import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import msgspec

SECONDS = 240.0
"""For one step; the longest installs all packages."""


class Instruction(msgspec.Struct, frozen=True):
    """One instruction: its name and all that comes after it."""

    name: str
    text: str

    def words(self) -> list[str]:
        """The arguments, of a list in JSON or of a line."""
        if self.text.startswith("["):
            return [str(each) for each in json.loads(self.text)]
        return shlex.split(self.text)

    def pairs(self) -> dict[str, str]:
        """Of ENV, LABEL and ARG."""
        return dict(each.split("=", 1) for each in shlex.split(self.text))


class Stage(msgspec.Struct, frozen=True):
    """What comes after one FROM."""

    name: str
    image: str
    instructions: tuple[Instruction, ...]

    def all(self, name: str) -> tuple[Instruction, ...]:
        """Those of a name."""
        return tuple(each for each in self.instructions if each.name == name)

    def last(self, name: str) -> Instruction:
        """The one that counts."""
        return self.all(name)[-1]


def stages(text: str) -> dict[str, Stage]:
    """The stages, by name."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    found: dict[str, Stage] = {}
    image = name = ""
    held: list[Instruction] = []
    for line in joined.splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            image, name = rest.split(" AS ")
            held = []
        elif word:
            held.append(Instruction(word, rest.strip()))
        if name:
            found[name] = Stage(name, image, tuple(held))
    return found


class Build:
    """Stages carried out in `folder`, from the files of `context` that are not ignored."""

    def __init__(self, folder: Path, context: Path) -> None:
        self.folder = folder
        self.context = context
        self.environment = {
            "PATH": f"/opt/python/bin:{os.environ['PATH']}",
            "HOME": os.environ.get("HOME", "/"),
            **{key: value for key, value in os.environ.items() if key.startswith(("PIP_", "SSL_"))},
        }
        self.environment.pop("PIP_FIND_LINKS", None)
        self._work = "/opt"
        folder.mkdir(parents=True)

    def run(self, *command: str, check: bool = True) -> str:
        """What a command prints that sees the folder as /opt."""
        script = f"mount --bind {shlex.quote(str(self.folder))} /opt && cd {self._work} && exec "
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script + '"$@"', "sh", *command],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def base(self, python: str) -> None:
        """What the stages begin with: a Python with pip, and no more."""
        self.run(python, "-m", "venv", "/opt/python")

    def carry_out(self, stage: Stage) -> None:
        """Each instruction in turn."""
        for each in stage.instructions:
            match each.name:
                case "ENV":
                    self.environment |= each.pairs()
                case "WORKDIR":
                    self._work = each.text
                    self._inside(each.text).mkdir(parents=True, exist_ok=True)
                case "COPY":
                    *sources, target = each.words()
                    self._copy(sources, self._inside(self._work) / target)
                case "RUN":
                    self.run("sh", "-e", "-c", each.text)
                case other:
                    raise NotImplementedError(other)

    def _inside(self, path: str) -> Path:
        return self.folder / Path(path).relative_to("/opt")

    def _copy(self, sources: list[str], target: Path) -> None:
        for source in sources:
            for path in sorted((self.context / source).rglob("*")) or [self.context / source]:
                name = path.relative_to(self.context)
                if path.is_file() and not ignored(self.context, name):
                    (target / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, target / name)


def ignored(context: Path, name: Path) -> bool:
    """Whether .containerignore keeps a file out: the last line that matches decides."""
    out = False
    paths = [str(name), *(str(parent) for parent in name.parents if str(parent) != ".")]
    for line in (context / ".containerignore").read_text().splitlines():
        pattern = line.lstrip("!").removeprefix("**/")
        anywhere = line.startswith("**/")
        tried = [Path(each).name for each in paths] if anywhere else paths
        if line and not line.startswith("#") and any(fnmatch.fnmatch(t, pattern) for t in tried):
            out = not line.startswith("!")
    return out
