"""FolderSource.changes with real files and the operating system's own notifications."""

# ruff: noqa: ASYNC240  # the files written here are small and local

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from serai.api.meta import Key
from serai.sources.batch import Batch
from serai.sources.folder import FolderSource

CART = Key("Service", "shop", "cart")


def service(name: str = "cart", port: int = 80) -> str:
    return (
        "apiVersion: v1\nkind: Service\nmetadata:\n"
        f"  name: {name}\n  namespace: shop\nspec:\n  ports:\n  - port: {port}\n"
    )


def key(name: str) -> Key:
    return Key("Service", "shop", name)


class Watching:
    """Runs changes() and hands over its batches."""

    def __init__(self, *paths: Path) -> None:
        self.source = FolderSource(paths)
        self.source.scan()
        self.stream = self.source.changes()

    async def next(self, seconds: float = 10) -> Batch:
        return await asyncio.wait_for(anext(self.stream), seconds)

    async def nothing(self, seconds: float = 0.5) -> None:
        waiting = asyncio.ensure_future(anext(self.stream))
        done, _ = await asyncio.wait({waiting}, timeout=seconds)
        assert not done, waiting.result()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "conf"
    path.mkdir()
    (path / "a.yaml").write_text(service())
    return path


async def started(*paths: Path) -> tuple[Watching, "asyncio.Future[Batch]"]:
    """A running watch, and its first batch to come."""
    watching = Watching(*paths)
    first = asyncio.ensure_future(watching.next())
    await asyncio.sleep(0.3)
    assert not first.done()
    return watching, first


async def test_an_edit_arrives_as_a_batch(folder: Path) -> None:
    watching, first = await started(folder)
    (folder / "a.yaml").write_text(service(port=81))
    assert (await first).changed.keys() == {CART}
    await watching.stream.aclose()


async def test_a_burst_arrives_whole_and_each_change_once(folder: Path) -> None:
    watching, first = await started(folder)
    for number in range(20):
        (folder / f"b{number}.yaml").write_text(service(f"s{number}"))
        await asyncio.sleep(0.005)
    changed = [*(await first).changed]
    while len(changed) < 20:
        changed += (await watching.next()).changed
    assert len(set(changed)) == len(changed) == 20
    await watching.stream.aclose()


async def test_an_atomic_replace_and_a_delete(folder: Path) -> None:
    watching, first = await started(folder)
    (folder / ".a.tmp").write_text(service(port=82))
    (folder / ".a.tmp").replace(folder / "a.yaml")
    assert (await first).changed.keys() == {CART}
    (folder / "a.yaml").unlink()
    assert (await watching.next()).removed == {CART}
    await watching.stream.aclose()


async def test_an_atomic_replace_has_one_file_looked_at(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching, first = await started(folder)
    looked_at: list[object] = []
    scan = watching.source.scan

    def noting(written: frozenset[str] | None = None) -> Batch:
        looked_at.append(written)
        return scan(written)

    monkeypatch.setattr(watching.source, "scan", noting)
    (folder / ".a.tmp").write_text(service(port=82))
    (folder / ".a.tmp").replace(folder / "a.yaml")
    assert (await first).changed.keys() == {CART}
    assert looked_at == [{str(folder / "a.yaml")}]
    await watching.stream.aclose()


async def test_a_new_folder_below(folder: Path) -> None:
    watching, first = await started(folder)
    (folder / "new").mkdir()
    (folder / "new/b.yaml").write_text(service("b"))
    assert (await first).changed.keys() == {key("b")}
    (folder / "new/b.yaml").write_text(service("b", 81))
    assert (await watching.next()).changed.keys() == {key("b")}
    await watching.stream.aclose()


async def test_a_single_file_replaced_again_and_again(folder: Path) -> None:
    path = folder / "a.yaml"
    watching, first = await started(path)
    for port in (81, 82, 83):
        (folder / "tmp").write_text(service(port=port))
        (folder / "tmp").replace(path)
        batch = await (first if port == 81 else watching.next())
        assert batch.changed.keys() == {CART}
    await watching.stream.aclose()


async def test_a_config_map_swap(tmp_path: Path) -> None:
    for version, port in (("..1", 80), ("..2", 81)):
        (tmp_path / version).mkdir()
        (tmp_path / version / "a.yaml").write_text(service(port=port))
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    watching, first = await started(tmp_path)
    (tmp_path / "..new").symlink_to("..2")
    (tmp_path / "..new").replace(tmp_path / "..data")
    shutil.rmtree(tmp_path / "..1")
    batch = await first
    assert (set(batch.changed), batch.problems) == ({CART}, ())
    await watching.stream.aclose()


async def test_a_folder_that_goes_and_comes_back(folder: Path) -> None:
    watching, first = await started(folder)
    away = folder.with_name("away")
    folder.rename(away)
    batch = await first
    assert [problem.code for problem in batch.problems] == ["SER0010"]
    assert not batch.removed
    (away / "a.yaml").write_text(service(port=81))
    away.rename(folder)
    batch = await watching.next()
    assert (set(batch.changed), batch.problems) == ({CART}, ())
    (folder / "b.yaml").write_text(service("b"))
    assert (await watching.next()).changed.keys() == {key("b")}
    await watching.stream.aclose()


async def test_a_change_before_watching_began_is_not_lost(folder: Path) -> None:
    watching = Watching(folder)
    (folder / "a.yaml").write_text(service(port=81))
    assert (await watching.next()).changed.keys() == {CART}
    await watching.stream.aclose()


async def test_a_file_written_slowly_is_never_seen_half(folder: Path) -> None:
    watching, first = await started(folder)
    with (folder / "a.yaml").open("w") as file:
        await asyncio.sleep(0.2)
        file.write(service(port=81)[:-1])
        file.flush()
        await asyncio.sleep(0.2)
        assert not first.done()
        file.write("\n")
    batch = await first
    assert batch.changed.keys() == {CART} and not batch.removed
    await watching.stream.aclose()


async def test_what_does_not_concern_us_wakes_nobody(folder: Path) -> None:
    (folder / "log").write_text("")
    watching = Watching(folder)
    first = asyncio.ensure_future(anext(watching.stream))
    await asyncio.sleep(0.3)
    (folder / "log").write_text("x")
    (folder / "a.yaml").touch()
    await asyncio.sleep(0.4)
    assert not first.done()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)


async def test_a_watch_that_fails_is_told_and_replaced_by_looking(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> AsyncIterator[object]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("serai.sources.watch.awatch", failing)
    watching = Watching(folder)
    batch = await watching.next()
    assert {problem.code for problem in batch.problems} == {"SER0015"}
    (folder / "a.yaml").write_text(service(port=81))
    assert (await watching.next()).changed.keys() == {CART}
    await watching.stream.aclose()


async def test_a_folder_deleted_with_all_in_it_is_not_an_empty_world(folder: Path) -> None:
    for number in range(50):
        (folder / f"b{number}.yaml").write_text(service(f"s{number}"))
    watching, first = await started(folder)
    shutil.rmtree(folder)
    batch = await first
    assert [problem.code for problem in batch.problems] == ["SER0010"]
    assert (batch.objects, len(batch.removed)) == (51, 0)
    await watching.stream.aclose()


async def test_cancelling_ends_the_watch(folder: Path) -> None:
    watching = Watching(folder)

    async def follow() -> None:
        async for _ in watching.stream:
            pass

    following = asyncio.create_task(follow())
    await asyncio.sleep(0.2)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_file_that_was_named_is_followed_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "manifests.txt"
    path.write_text(service())
    watching, first = await started(path)

    path.write_text(service(port=81))

    assert CART in (await first).changed
    await watching.stream.aclose()


async def test_an_empty_folder_that_goes_away_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "conf"
    path.mkdir()
    watching, first = await started(path)

    path.rmdir()

    assert [each.code for each in (await first).problems] == ["SER0010"]
    await watching.stream.aclose()
