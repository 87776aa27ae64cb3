"""A look at a few files finds what a look at everything finds, or leaves it to that."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from serai.sources import file as file_module
from serai.sources.folder import FolderSource
from serai.sources.known import KnownFiles


def service(name: str, port: int = 80) -> str:
    return (
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\n"
        f"spec: {{ports: [{{port: {port}}}]}}\n"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "conf"
    (path / "below").mkdir(parents=True)
    for name in ("a.yaml", "below/b.yaml"):
        (path / name).write_text(service(Path(name).stem))
    return path


def known(*asked: Path, files: list[Path]) -> KnownFiles:
    found = KnownFiles(asked)
    for each in files:
        found.add(str(each))
    return found


def test_a_new_file_beside_others_is_found(folder: Path) -> None:
    files = known(folder, files=[folder / "a.yaml", folder / "below/b.yaml"])
    for name in ("new.yaml", "below/new.yml"):
        (folder / name).write_text(service("new"))
        looked = files.look([str(folder / name)])
        assert looked is not None
        assert list(looked.files) == [str(folder / name)]
        assert looked.gone == set()


def test_paths_are_as_the_user_writes_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    source = FolderSource([Path()])
    source.scan()
    (folder / "later.yaml").write_text(service("later"))
    source.scan(frozenset({str(folder / "later.yaml")}))
    at_once = {place.file for place in source.last.places.values()}
    assert at_once == {place.file for place in FolderSource([Path()]).scan().places.values()}


def test_one_that_is_gone_is_told(folder: Path) -> None:
    files = known(folder, files=[folder / "a.yaml"])
    (folder / "a.yaml").unlink()
    looked = files.look([str(folder / "a.yaml")])
    assert looked is not None
    assert (looked.files, looked.gone) == ({}, {str(folder / "a.yaml")})


@pytest.mark.parametrize(
    "what", ["link", "hard link", "folder", "hidden", "elsewhere", "dangling", "gone with folder"]
)
def test_what_only_a_look_at_everything_can_tell(folder: Path, what: str) -> None:
    files = known(folder, files=[folder / "a.yaml", folder / "below/b.yaml"])
    new = folder / "new.yaml"
    match what:
        case "link":
            new.symlink_to(folder / "a.yaml")
        case "hard link":
            os.link(folder / "a.yaml", new)
        case "folder":
            new.mkdir()
        case "hidden":
            new = folder / ".new.yaml"
            new.touch()
        case "elsewhere":
            new = folder / "other/new.yaml"
            new.parent.mkdir()
            new.touch()
        case "dangling":
            new = folder / "a.yaml"
            new.unlink()
            new.symlink_to(folder / "nowhere")
        case _:
            new = folder / "below/b.yaml"
            new.unlink()
            new.parent.rmdir()
    assert files.look([str(new)]) is None


def test_what_is_beside_a_file_that_was_asked_for_is_none_of_ours(folder: Path) -> None:
    source = FolderSource([folder / "a.yaml"])
    source.scan()
    (folder / "new.yaml").write_text(service("new"))
    assert not source.scan(frozenset({str(folder / "new.yaml")})).changed


def test_a_file_that_was_asked_for_and_goes_is_told(folder: Path) -> None:
    source = FolderSource([folder / "a.yaml"])
    source.scan()
    (folder / "a.yaml").unlink()
    batch = source.scan(frozenset({str(folder / "a.yaml")}))
    assert [each.code for each in batch.problems] == ["SER0010"]
    assert not batch.removed


class Files:
    """What people and tools do to files, at random, and what is told of it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._random = folder, random.Random(seed)

    def happen(self) -> frozenset[str]:
        """One to three things; the paths concerned."""
        return frozenset(
            str(path) for _ in range(self._random.randint(1, 3)) for path in self._one()
        )

    def _one(self) -> list[Path]:
        path, other = self._some(), self._some()
        match self._random.randrange(6):
            case 0 if path.exists():
                path.unlink()
            case 1 if path.exists():
                other.parent.mkdir(exist_ok=True)
                path.replace(other)
                return [path, other]
            case 2 if (
                path.exists()
                and not (other.is_symlink() or other.exists())
                and other.parent.exists()
            ):
                other.symlink_to(path)
                return [other]
            case 3 if (
                path.exists()
                and not (other.is_symlink() or other.exists())
                and other.parent.exists()
            ):
                os.link(path, other)
                return [other]
            case _:
                path.parent.mkdir(exist_ok=True)
                if path.is_symlink() and not path.exists():
                    path.unlink()  # which may lead to itself
                names = self._random.sample("abcdef", self._random.randint(0, 2))
                port = self._random.choice((80, 81))
                path.write_text("---\n".join(service(name, port) for name in names))
                return [path, path.resolve()]  # which a link leads to
        return [path]

    def _some(self) -> Path:
        below = self._random.choice(("", "", "one", "two", ".hidden"))
        return self._folder / below / f"{self._random.choice('uvwxyz')}.yaml"


@pytest.mark.parametrize("seed", range(40))
def test_a_few_at_a_time_or_all_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(file_module, "SETTLED_SECONDS", 0.0)
    folder = tmp_path / "conf"
    folder.mkdir()
    (folder / "first.yaml").write_text(service("first"))
    at_random, source = Files(folder, seed), FolderSource([folder])
    source.scan()
    for _ in range(25):
        happened = at_random.happen()
        source.scan(happened)
        a_few = (source.last.objects, source.last.files, source.last.places)
        source.scan()
        assert a_few == (source.last.objects, source.last.files, source.last.places), happened
        assert not source.last.changed
