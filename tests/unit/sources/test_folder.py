"""FolderSource.scan: what is in force follows the files, and no fault takes anything away."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serai.api.meta import Key
from serai.api.problem import Problem
from serai.sources import file as file_module
from serai.sources import folder as folder_module
from serai.sources.batch import Batch
from serai.sources.folder import FolderSource

CART, SHOP = Key("Service", "shop", "cart"), Key("Namespace", "", "shop")


def service(name: str = "cart", port: object = 80) -> str:
    return (
        "apiVersion: v1\nkind: Service\nmetadata:\n"
        f"  name: {name}\n  namespace: shop\nspec:\n  ports:\n  - port: {port}\n"
    )


def key(name: str) -> Key:
    return Key("Service", "shop", name)


def names(batch: Batch) -> set[str]:
    return {found.name for found in batch.places}


def only(batch: Batch) -> Problem:
    assert len(batch.problems) == 1, batch.problems
    problem = batch.problems[0]
    assert problem.message and problem.remedy and problem.place
    return problem


@pytest.fixture(autouse=True)
def believed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are written so fast here that all would seem half written."""
    monkeypatch.setattr(file_module, "SETTLED_SECONDS", 0.0)
    monkeypatch.setattr(file_module, "EMPTY_SECONDS", 0.0)


def test_reads_folders_recursively_and_files(tmp_path: Path) -> None:
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "deep/er/a.yaml").write_text(service("a"))
    (tmp_path / "deep/b.yml").write_text(service("b") + "---\n" + service("c"))
    (tmp_path / "d.json").write_text(
        '{"apiVersion":"v1","kind":"Service","metadata":{"name":"d","namespace":"shop"}}'
    )
    other = tmp_path / "named.txt"
    other.write_text(service("e"))
    batch = FolderSource([tmp_path / "deep", tmp_path / "d.json", other]).scan()
    assert names(batch) == {"a", "b", "c", "d", "e"}
    assert batch.changed.keys() == batch.places.keys()
    assert (batch.files, batch.objects, batch.problems) == (4, 5, ())
    place = batch.places[key("c")]
    assert (place.file, place.line) == (str(tmp_path / "deep/b.yml"), 10)


@pytest.mark.parametrize("name", [".hidden.yaml", "a.yaml~", "#a.yaml", ".a.yaml.swp", "a.txt"])
def test_skips_what_is_no_manifest(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("junk: [")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/a.yaml").write_text("junk: [")
    assert FolderSource([tmp_path]).scan() == Batch()


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    assert FolderSource([tmp_path]).scan().files == 0


def test_only_what_changed_is_in_a_batch(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(service("a") + "---\n" + service("b"))
    source = FolderSource([tmp_path])
    source.scan()
    path.write_text("# more\n" + service("a") + "---\n" + service("b", 81))
    batch = source.scan()
    assert batch.changed.keys() == {key("b")}
    assert batch.places[key("a")].line == 2
    assert not source.scan().changed


def test_what_is_deleted_is_removed(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(service("a") + "---\n" + service("b"))
    (tmp_path / "c.yaml").write_text(service("c"))
    source = FolderSource([tmp_path])
    source.scan()
    (tmp_path / "a.yaml").write_text(service("a"))
    (tmp_path / "c.yaml").unlink()
    batch = source.scan()
    assert batch.removed == {key("b"), key("c")}
    assert names(batch) == {"a"}


def test_a_move_between_files_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(service("a") + "---\n" + service("b"))
    source = FolderSource([tmp_path])
    source.scan()
    (tmp_path / "a.yaml").write_text(service("b"))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/z.yaml").write_text(service("a"))
    batch = source.scan()
    assert (batch.changed, batch.removed, batch.problems) == ({}, frozenset(), ())
    assert batch.places[key("a")].file.endswith("z.yaml")


def test_an_object_that_breaks_keeps_its_last_good_version(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(service() + "---\n" + service("b"))
    source = FolderSource([tmp_path])
    source.scan()
    path.write_text(service(port="x") + "---\n" + service("b", 81))
    batch = source.scan()
    assert batch.changed.keys() == {key("b")}
    assert not batch.removed
    problem = only(batch)
    assert problem.key == CART and problem.place and problem.place.line == 8
    assert problem.message.endswith("; the version read before stays in force")
    path.write_text(service(port=82))
    batch = source.scan()
    assert (set(batch.changed), set(batch.removed)) == ({CART}, {key("b")})
    assert not batch.problems


def test_an_object_that_was_never_good_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(service().replace("ports", "prots"))
    batch = FolderSource([tmp_path]).scan()
    assert batch.objects == 0
    problem = only(batch)
    assert problem.message.endswith("; not used")
    assert problem.remedy == "Did you mean ports?"
    assert str(problem.place) == f"{tmp_path}/a.yaml:7"


def test_a_broken_document_keeps_what_it_may_have_been(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(service() + "---\n" + service("b"))
    source = FolderSource([tmp_path])
    source.scan()
    path.write_text(service().replace("ports:", "ports: [") + "---\n" + service("b", 81))
    batch = source.scan()
    assert names(batch) == {"cart", "b"}
    assert batch.changed.keys() == {key("b")}
    problem = only(batch)
    assert (problem.code, problem.key) == ("SER0001", CART)
    assert problem.message.endswith("the version read before stays in force")


def test_an_unrecognisable_document_keeps_what_it_may_have_been(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(service() + "---\n" + service("b"))
    source = FolderSource([tmp_path])
    source.scan()
    path.write_text("kin" + service()[16:] + "---\n" + service("b"))
    batch = source.scan()
    assert names(batch) == {"cart", "b"}
    assert "what may have been here stays in force: Service shop/cart" in only(batch).message
    path.write_text(service("b"))
    assert source.scan().removed == {CART}


def test_junk_that_was_there_before_keeps_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("some: values\n---\n" + service() + "---\n" + service("b"))
    source = FolderSource([tmp_path])
    source.scan()
    path.write_text("some: values\n---\n" + service("b"))
    assert source.scan().removed == {CART}


def test_a_document_stays_suspected_while_it_is_edited(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(service() + "---\n" + service("b"))
    source = FolderSource([tmp_path])
    source.scan()
    for junk in ("x: [", "y: [", "z: ["):
        path.write_text(junk + "\n---\n" + service("b"))
        assert names(source.scan()) == {"cart", "b"}
    path.write_text("z: [\n")
    assert names(source.scan()) == {"cart"}


def test_a_folder_that_vanishes_is_not_an_empty_world(tmp_path: Path) -> None:
    folder = tmp_path / "conf"
    folder.mkdir()
    (folder / "a.yaml").write_text(service())
    source = FolderSource([folder])
    source.scan()
    folder.rename(tmp_path / "gone")
    batch = source.scan()
    assert names(batch) == {"cart"} and not batch.removed
    problem = only(batch)
    assert (problem.code, str(problem.place)) == ("SER0010", str(folder))
    assert source.lost
    folder.mkdir()
    (folder / "b.yaml").write_text(service("b"))
    batch = source.scan()
    assert (set(batch.changed), set(batch.removed)) == ({key("b")}, {CART})
    assert not source.lost


def test_a_file_that_becomes_unreadable_keeps_its_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(service())
    source = FolderSource([tmp_path])
    source.scan()
    path.write_text(service() + "---\n" + service("b"))
    with monkeypatch.context() as patch:

        def denied(_: str, __: int) -> int:
            raise PermissionError(13, "Permission denied")

        patch.setattr(os, "open", denied)
        batch = source.scan()
    assert names(batch) == {"cart"} and not batch.removed
    assert "Permission denied" in only(batch).message
    assert names(source.scan()) == {"cart", "b"}


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    problem = only(FolderSource([tmp_path / "none"]).scan())
    assert (problem.code, problem.severity) == ("SER0010", "error")


def test_a_dangling_link_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to(tmp_path / "nowhere.yaml")
    assert only(FolderSource([tmp_path]).scan()).code == "SER0010"


def test_folders_that_link_to_each_other(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(service())
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "again.yaml").symlink_to(tmp_path / "a.yaml")
    batch = FolderSource([tmp_path, tmp_path / "a.yaml"]).scan()
    assert (batch.files, batch.objects, batch.problems) == (1, 1, ())


def test_a_config_map_swap(tmp_path: Path) -> None:
    for version, port in (("..1", 80), ("..2", 81)):
        (tmp_path / version).mkdir()
        (tmp_path / version / "a.yaml").write_text(service(port=port))
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    source = FolderSource([tmp_path])
    first = source.scan()
    assert (first.objects, first.problems) == (1, ())
    (tmp_path / "..new").symlink_to("..2")
    (tmp_path / "..new").rename(tmp_path / "..data")
    second = source.scan()
    assert (set(second.changed), second.removed, second.problems) == ({CART}, frozenset(), ())


def test_a_duplicate_with_equal_content_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(service())
    (tmp_path / "b.yaml").write_text(service())
    batch = FolderSource([tmp_path]).scan()
    problem = only(batch)
    assert (problem.code, problem.severity) == ("SER0013", "warning")
    assert f"{tmp_path}/a.yaml:1" in problem.message
    assert str(problem.place) == f"{tmp_path}/b.yaml:1"


def test_of_different_duplicates_the_one_in_force_stays(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(service())
    source = FolderSource([tmp_path])
    source.scan()
    (tmp_path / "a.yaml").write_text(service(port=81))
    batch = source.scan()
    assert not batch.changed
    problem = only(batch)
    assert (problem.code, problem.severity) == ("SER0003", "error")
    assert f"{tmp_path}/b.yaml:1" in problem.message
    assert str(problem.place) == f"{tmp_path}/a.yaml:1"
    (tmp_path / "b.yaml").unlink()
    batch = source.scan()
    assert (set(batch.changed), batch.removed, batch.problems) == ({CART}, frozenset(), ())


def test_of_different_duplicates_the_first_is_taken_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(service())
    (tmp_path / "a.yaml").write_text(service(port=81) + "---\n" + service(port=82))
    batch = FolderSource([tmp_path]).scan()
    assert str(batch.places[CART]) == f"{tmp_path}/a.yaml:1"
    assert [str(p.place) for p in batch.problems] == [
        f"{tmp_path}/a.yaml:10",
        f"{tmp_path}/b.yaml:1",
    ]


def test_a_typo_does_not_hand_over_to_the_duplicate(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(service())
    (tmp_path / "b.yaml").write_text(service(port=81))
    source = FolderSource([tmp_path])
    source.scan()
    (tmp_path / "a.yaml").write_text(service(port="x"))
    batch = source.scan()
    assert not batch.changed and not batch.removed
    assert {problem.code for problem in batch.problems} == {"SER0006", "SER0003"}


def test_a_half_written_file_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_module, "SETTLED_SECONDS", 60.0)
    monkeypatch.setattr(file_module, "EMPTY_SECONDS", 60.0)
    path = tmp_path / "a.yaml"
    path.write_text(service())
    source = FolderSource([tmp_path])
    source.scan()
    for unfinished in ("", service()[:-4]):
        path.write_text(unfinished)
        batch = source.scan()
        assert source.half_written
        assert (names(batch), batch.changed, batch.problems) == ({"cart"}, {}, ())
    path.write_text(service(port=81))
    assert source.scan().changed.keys() == {CART}
    assert not source.half_written
    path.write_text("")
    os.utime(path, (1, 1))
    assert source.scan().removed == {CART}


def test_an_emptied_file_is_waited_for_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell empties a file first, and then runs the command whose output it takes."""
    monkeypatch.setattr(file_module, "EMPTY_SECONDS", 60.0)
    path = tmp_path / "a.yaml"
    path.write_text(service())
    source = FolderSource([tmp_path])
    source.scan()
    path.write_text("")
    assert not source.scan().removed
    assert source.half_written
    path.write_text(service(port=81))
    assert source.scan().changed.keys() == {CART}
    path.write_text("")
    monkeypatch.setattr(file_module, "EMPTY_SECONDS", 0.0)
    assert source.scan().removed == {CART}


def test_a_file_that_is_too_large_keeps_its_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.yaml").write_text(service())
    source = FolderSource([tmp_path])
    source.scan()
    monkeypatch.setattr(file_module, "LARGEST_FILE", 100)
    (tmp_path / "a.yaml").write_text(service() + "#" * 100)
    batch = source.scan()
    assert names(batch) == {"cart"}
    assert only(batch).code == "SER0011"


def test_junk_is_told_in_few_words(tmp_path: Path) -> None:
    junk = "---\n".join(f"kind: Junk{n}\napiVersion: v1\n" for n in range(2000))
    (tmp_path / "junk.yaml").write_text(junk + "---\n" + service())
    batch = FolderSource([tmp_path]).scan()
    assert names(batch) == {"cart"}
    assert len(batch.problems) == 101
    assert "and 1900 more problems in this file" in {p.message for p in batch.problems}


def test_a_list_is_its_objects(tmp_path: Path) -> None:
    items = "".join("- " + service(n).replace("\n", "\n  ").rstrip() + "\n" for n in "ab")
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: List\nitems:\n" + items)
    batch = FolderSource([tmp_path]).scan()
    assert {place.line for place in batch.places.values()} == {4, 12}
    (tmp_path / "a.yaml").write_text(
        "apiVersion: v1\nkind: List\nitems:\n" + items.replace("port: 80", "prt: 80", 1)
    )
    problem = only(FolderSource([tmp_path]).scan())
    assert problem.place and problem.place.line == 11


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.permutations(range(8)),
    st.lists(st.integers(0, 3), min_size=8, max_size=8),
    st.sampled_from(["documents", "list"]),
)
def test_order_and_split_change_nothing(
    tmp_path: Path, order: list[int], files: list[int], first: str
) -> None:
    folder = tmp_path / "conf"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    texts: dict[int, list[str]] = {}
    for number, name in zip(order, files, strict=True):
        texts.setdefault(name, []).append(service(f"s{number}", 80 + number))
    for name, documents in texts.items():
        if first == "list" and name == 0:
            items = ["- " + text.replace("\n", "\n  ").rstrip() for text in documents]
            text = "kind: List\napiVersion: v1\nitems:\n" + "\n".join(items) + "\n"
        else:
            text = "---\n".join(documents)
        (folder / f"{name}.yaml").write_text(text)
    changed = FolderSource([folder]).scan().changed
    ports = {found.name: item.spec.ports[0].port for found, item in changed.items()}  # type: ignore[attr-defined]
    assert ports == {f"s{number}": 80 + number for number in range(8)}


def test_only_what_was_written_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.yaml").write_text(service())
    (tmp_path / "b.yaml").write_text(service("other"))
    source = FolderSource([tmp_path])
    source.scan()
    monkeypatch.setattr(folder_module, "find_files", pytest.fail)
    (tmp_path / "a.yaml").write_text(service(port=81))
    (tmp_path / "b.yaml").write_text(service("other", port=81))
    batch = source.scan(frozenset({str(tmp_path / "a.yaml")}))
    assert batch.changed.keys() == {CART}
    assert (batch.files, batch.objects, len(batch.places)) == (2, 2, 2)


def test_everything_is_looked_at_where_something_else_was_written(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(service())
    source = FolderSource([tmp_path])
    source.scan()
    (tmp_path / "new.yaml").write_text(service("new"))
    assert names(source.scan(frozenset({str(tmp_path / "new.yaml")}))) == {"cart", "new"}
    (tmp_path / "new.yaml").unlink()
    assert names(source.scan(frozenset({str(tmp_path / "new.yaml")}))) == {"cart"}


def test_a_file_that_is_replaced_is_not_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_module, "SETTLED_SECONDS", 60.0)
    path = tmp_path / "a.yaml"
    path.write_text(service())
    source = FolderSource([tmp_path])
    source.scan()
    path.unlink()
    assert names(source.scan()) == {"cart"}
    path.write_text(service(port=81))
    batch = source.scan()
    assert batch.changed.keys() == {CART}
    assert not source.half_written
    path.unlink()
    source.scan()
    monkeypatch.setattr(file_module, "SETTLED_SECONDS", 0.0)
    assert source.scan().removed == {CART}


def test_a_file_under_a_new_name_is_gone_under_its_old_one_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_module, "SETTLED_SECONDS", 60.0)
    (tmp_path / "a.yaml").write_text(service())
    source = FolderSource([tmp_path])
    source.scan()
    (tmp_path / "a.yaml").rename(tmp_path / "b.yaml")
    batch = source.scan()
    assert (batch.changed, batch.removed, batch.problems) == ({}, frozenset(), ())
    assert batch.places[CART].file == str(tmp_path / "b.yaml")


def test_the_beginning_of_a_long_file_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_module, "SETTLED_SECONDS", 60.0)
    path = tmp_path / "a.yaml"
    path.write_text(service() + "---\n" + service("other"))
    source = FolderSource([tmp_path])
    source.scan()
    path.write_text(service(port=81))
    batch = source.scan()
    assert (batch.changed, batch.removed) == ({}, frozenset())
    assert source.half_written
    path.write_text(service(port=81) + "---\n" + service("other"))
    assert source.scan().changed.keys() == {CART}


def test_no_file_goes_before_what_changes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when another revision is checked out: what named the service in its file comes first."""
    gone, changed, came = tmp_path / "gone.yaml", tmp_path / "changed.yaml", tmp_path / "came.yaml"
    gone.write_text(service())
    changed.write_text(service("before"))
    source = FolderSource([tmp_path])
    source.scan()
    monkeypatch.setattr(file_module, "SETTLED_SECONDS", 60.0)
    came.write_text(service("b"))
    changed.write_text(service("after"))
    gone.unlink()
    batch = source.scan()
    assert (set(batch.changed), batch.removed) == ({key("b")}, frozenset())
    assert source.half_written
    monkeypatch.setattr(file_module, "SETTLED_SECONDS", 0.0)
    batch = source.scan()
    assert (set(batch.changed), set(batch.removed)) == ({key("after")}, {key("before"), CART})
    assert not source.half_written
