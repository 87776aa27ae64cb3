"""The incremental collections: what is computed again, what is not, and what others see."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serai.incremental import Derived, Graph, Index, Reader, Table, Transient, Union, mapped


class World:
    """People live in towns; a greeting reads both; a census counts per town."""

    def __init__(self) -> None:
        self.graph = Graph()
        self.people: Table[str, str] = Table(self.graph, "people")
        self.towns: Table[str, str] = Table(self.graph, "towns")
        self.by_town: Index[str, str] = Index(
            self.graph, "by town", self.people, lambda _, town: (town,)
        )
        self.greetings: Derived[str, str] = Derived(
            self.graph, "greetings", self.people, self._greet
        )
        self.census: Derived[str, int] = Derived(
            self.graph, "census", self.by_town, lambda _, town, who: ((town, len(who)),)
        )

    def _greet(self, reader: Reader, person: str, town: str) -> Iterable[tuple[str, str]]:
        greeting = reader.get(self.towns, town)
        if greeting == "raise":
            raise ValueError(person)
        if greeting is not None:
            yield person, f"{greeting}, {person}"


@pytest.fixture
def world() -> World:
    world = World()
    for person, town in {"ann": "york", "bob": "york", "cid": "bath"}.items():
        world.people.put(person, town)
    world.towns.put("york", "hello")
    world.graph.commit()
    return world


def test_a_missing_read_is_noticed_when_it_appears(world: World) -> None:
    assert world.greetings.rows == {"ann": "hello, ann", "bob": "hello, bob"}
    world.towns.put("bath", "hi")
    changed = world.graph.commit()
    assert world.greetings.rows["cid"] == "hi, cid"
    assert list(changed["greetings"]) == ["cid"]


def test_only_rows_that_read_the_change_are_computed_again(world: World) -> None:
    before = world.greetings.calls
    world.people.put("dee", "york")
    world.graph.commit()
    assert world.greetings.calls == before + 1
    world.towns.put("york", "hey")
    world.graph.commit()
    assert world.greetings.calls == before + 1 + 3


def test_an_equal_row_changes_nothing(world: World) -> None:
    world.people.put("ann", "york")
    assert not world.graph.commit()


def test_an_equal_result_stops_there(world: World) -> None:
    world.people.put("ann", "bath")
    world.people.put("cid", "york")
    changed = world.graph.commit()
    assert "by town" in changed
    assert "census" not in changed


def test_a_removed_row_takes_its_results_with_it(world: World) -> None:
    world.people.drop("cid")
    changed = world.graph.commit()
    assert world.census.rows == {"york": 2}
    assert list(changed["census"]) == ["bath"]


def test_put_and_drop_before_a_commit_leave_the_last_word(world: World) -> None:
    world.people.put("eve", "york")
    world.people.drop("eve")
    assert not world.graph.commit()


def test_a_row_whose_function_raises_keeps_its_last_result(world: World) -> None:
    world.towns.put("york", "raise")
    world.graph.commit()
    assert world.greetings.rows["ann"] == "hello, ann"
    assert {failure.key for failure in world.graph.failures.values()} == {"ann", "bob"}
    world.towns.put("york", "good day")
    world.graph.commit()
    assert world.greetings.rows["ann"] == "good day, ann"
    assert not world.graph.failures


def test_reading_a_later_collection_is_refused() -> None:
    graph = Graph()
    source: Table[str, int] = Table(graph, "source")
    late: list[Table[str, int]] = []

    def compute(reader: Reader, key: str, _: int) -> Iterable[tuple[str, int | None]]:
        yield key, reader.get(late[0], key)

    derived: Derived[str, int | None] = Derived(graph, "derived", source, compute)
    late.append(Table(graph, "late"))
    source.put("a", 1)
    graph.commit()
    assert not derived.rows
    assert "settled after it" in str(next(iter(graph.failures.values())).error)


def test_two_rows_of_one_key_harm_no_others() -> None:
    graph = Graph()
    source: Table[str, str] = Table(graph, "source")
    named: Derived[str, str] = Derived(graph, "named", source, lambda _, key, row: ((row, key),))
    source.put("a", "x")
    graph.commit()
    source.put("b", "x")
    graph.commit()
    source.drop("a")
    source.drop("b")
    source.put("c", "y")
    graph.commit()
    assert named.rows == {"y": "c"}


def test_two_collections_of_one_name_are_refused() -> None:
    graph = Graph()
    Table[str, str](graph, "twice")
    with pytest.raises(ValueError, match="twice"):
        Table[str, str](graph, "twice")


def test_what_a_row_does_not_read_any_more_wakes_it_no_more(world: World) -> None:
    world.people.put("ann", "bath")
    world.graph.commit()
    before = world.greetings.calls
    world.towns.put("york", "hey")
    world.graph.commit()
    assert world.greetings.calls == before + 1  # bob alone


def test_nothing_is_kept_of_rows_that_went(world: World) -> None:
    for person in ("ann", "bob", "cid"):
        world.people.drop(person)
    world.graph.commit()
    before = world.greetings.calls
    world.towns.put("york", "hey")
    world.graph.commit()
    assert (world.greetings.calls, len(world.by_town), len(world.census)) == (before, 0, 0)
    assert not [each for each in world.towns.readerships if each.by_key]


def test_a_row_may_come_from_another_source_row_than_before() -> None:
    graph = Graph()
    source: Table[str, str] = Table(graph, "source")
    derived = Derived(graph, "derived", source, lambda _, key, row: ((row, key),))
    seen: Index[str, str] = Index(graph, "seen", derived, lambda _, row: (row,))
    source.put("a", "x")
    graph.commit()
    source.drop("a")
    source.put("b", "x")
    assert list(graph.commit()["derived"]) == ["x"]
    assert (derived.rows, list(seen.keys())) == ({"x": "b"}, ["b"])


def test_a_row_may_pass_from_one_part_of_a_union_to_another() -> None:
    graph = Graph()
    tables: tuple[Table[str, str], ...] = (Table(graph, "one"), Table(graph, "other"))
    union = Union(graph, "union", tables)
    by_row: Index[str, str] = Index(graph, "by row", union, lambda _, row: (row,))
    tables[1].put("key", "old")
    graph.commit()
    tables[0].put("key", "new")
    tables[1].drop("key")
    graph.commit()
    assert dict(by_row.items()) == {"new": ("key",)}


def test_a_mapped_row_goes_and_comes_with_what_its_function_makes_of_it() -> None:
    graph = Graph()
    source: Table[str, int] = Table(graph, "source")
    halves = mapped(graph, "halves", source, lambda _, __, row: None if row % 2 else row // 2)
    for value, expected in ((4, {"a": 2}), (3, {}), (6, {"a": 3})):
        source.put("a", value)
        assert list(graph.commit()["halves"]) == ["a"]
        assert halves.rows == expected
    source.drop("a")
    assert list(graph.commit()["halves"]) == ["a"]
    assert not halves.rows


def members(index: Index[Any, str]) -> dict[Any, tuple[str, ...]]:
    return {key: tuple(found) for key, found in index.items()}


def test_an_index_remembers_what_its_source_does_not() -> None:
    graph = Graph()
    source: Table[str, str] = Table(graph, "source")
    index: Index[str, str] = Index(graph, "index", source, lambda _, row: (row,))
    sizes: Index[int, str] = Index(graph, "sizes", index, lambda _, row: (len(row),))
    for key, row in {"ann": "york", "bob": "york", "cid": "bath"}.items():
        source.put(key, row)
    graph.commit()
    assert members(sizes) == {2: ("york",), 1: ("bath",)}
    source.put("ann", "bath")
    source.drop("cid")
    graph.commit()
    assert members(sizes) == {1: ("bath", "york")}


class Passing:
    """Greetings that nobody keeps, what becomes of them, and where they are found by length."""

    def __init__(self) -> None:
        self.graph = Graph()
        self.people: Table[str, str] = Table(self.graph, "people")
        self.towns: Table[str, str] = Table(self.graph, "towns")
        self.greetings: Transient[str, str] = Transient(
            self.graph, "greetings", self.people, self._greet
        )
        self.shouts = mapped(self.graph, "shouts", self.greetings, lambda _, __, row: row.upper())
        self.heard = mapped(self.graph, "heard", self.people, self._hear)
        self.by_length: Index[int, str] = Index(
            self.graph, "by length", self.greetings, lambda _, row: (len(row),)
        )
        for person, town in {"ann": "york", "bob": "york", "cid": "bath"}.items():
            self.people.put(person, town)
        self.towns.put("york", "hello")
        self.graph.commit()

    def _greet(self, reader: Reader, person: str, town: str) -> Iterable[tuple[str, str]]:
        greeting = reader.get(self.towns, town)
        if greeting == "raise":
            raise ValueError(person)
        if greeting is not None:
            yield f"to {person}", f"{greeting}, {person}"

    def _hear(self, reader: Reader, person: str, _: str) -> str | None:
        return reader.get(self.greetings, f"to {person}")


def test_rows_in_passing_are_there_for_what_comes_behind_and_for_whoever_asks_later() -> None:
    world = Passing()
    assert world.greetings.rows == {}
    assert world.shouts.rows == {"to ann": "HELLO, ANN", "to bob": "HELLO, BOB"}
    assert world.heard.rows == {"ann": "hello, ann", "bob": "hello, bob"}
    assert members(world.by_length) == {10: ("to ann", "to bob")}
    calls = world.greetings.calls
    assert dict(world.greetings.items()) == {"to ann": "hello, ann", "to bob": "hello, bob"}
    assert world.greetings.row("to cid") is None
    assert (world.greetings.calls, len(world.greetings)) == (calls, 2)


def test_rows_in_passing_come_change_and_go() -> None:
    world = Passing()
    world.towns.put("bath", "hi")
    world.people.put("ann", "bath")
    world.people.drop("bob")
    changed = world.graph.commit()
    assert set(changed["greetings"]) == {"to ann", "to bob", "to cid"}
    assert world.shouts.rows == {"to ann": "HI, ANN", "to cid": "HI, CID"}
    assert world.heard.rows == {"ann": "hi, ann", "cid": "hi, cid"}
    assert members(world.by_length) == {7: ("to ann", "to cid")}
    world.towns.drop("bath")
    world.graph.commit()
    assert not list(world.greetings.items())
    assert not list(world.by_length.items())


def test_what_comes_of_an_equal_row_in_passing_stops_behind_it() -> None:
    world = Passing()
    world.towns.put("york", "hey")
    world.people.put("ann", "leeds")
    world.towns.put("leeds", "hello")
    changed = world.graph.commit()
    assert set(changed["greetings"]) == {"to ann", "to bob"}
    assert set(changed["shouts"]) == {"to bob"}


def test_a_row_in_passing_that_cannot_be_made_changes_nothing_behind_it() -> None:
    world = Passing()
    world.towns.put("york", "raise")
    world.graph.commit()
    assert {(each.node, each.key) for each in world.graph.failures.values()} == {
        ("greetings", "ann"),
        ("greetings", "bob"),
    }
    assert world.shouts.rows == {"to ann": "HELLO, ANN", "to bob": "HELLO, BOB"}
    assert world.heard.rows == {"ann": "hello, ann", "bob": "hello, bob"}
    with pytest.raises(ValueError, match="ann"):
        world.greetings.row("to ann")
    world.towns.put("york", "hey")
    world.graph.commit()
    assert not world.graph.failures
    assert world.shouts.rows["to ann"] == "HEY, ANN"


def test_a_row_in_passing_may_come_of_another_source_row_than_before() -> None:
    graph = Graph()
    source: Table[str, str] = Table(graph, "source")
    turned: Transient[str, str] = Transient(
        graph, "turned", source, lambda _, key, row: ((row, key),)
    )
    kept = mapped(graph, "kept", turned, lambda _, __, row: row)
    source.put("a", "x")
    source.put("b", "y")
    graph.commit()
    for swapped in ({"a": "y", "b": "x"}, {"b": "y", "a": "x"}):
        for key, row in swapped.items():
            source.put(key, row)
        graph.commit()
        expected = {row: key for key, row in swapped.items()}
        assert kept.rows == dict(turned.items()) == expected


moves = st.lists(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=40), max_size=12)


@given(moves)
def test_members_are_sorted_whatever_came_and_went_since_they_were_looked_at(
    commits: list[list[tuple[int, bool]]],
) -> None:
    graph = Graph()
    source: Table[int, bool] = Table(graph, "source")
    index: Index[str, int] = Index(graph, "index", source, lambda _, __: ("all",))
    there: set[int] = set()
    for commit in commits:
        for number, comes in commit:
            if comes:
                source.put(number, True)
                there.add(number)
            else:
                source.drop(number)
                there.discard(number)
        graph.commit()
        assert list(index.row("all") or ()) == sorted(there)
