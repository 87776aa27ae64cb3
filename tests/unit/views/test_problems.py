"""Problems have the line of their field, a stable order, and our own failures among them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from serai.api.meta import Key
from serai.api.problem import Place, Problem
from serai.app.offline import located
from serai.attach.frontends import FrontendKey
from serai.incremental import Derived, Graph, Reader, Table
from serai.incremental.graph import Failure
from serai.views.problems import failures, in_order, problem_rows, summary
from unit.views.worlds import read

ROUTE = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: r
spec:
  parentRefs:
    - group: ''
      kind: Service
      name: nothing
  rules:
    - backendRefs:
        - name: nothing
          port: 80
"""


def test_a_problem_is_on_the_line_of_its_field(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"# one\n---\n{ROUTE}")

    found = {problem.path: problem.place for problem in read(tmp_path).problems}

    assert found["spec.parentRefs[0]"] == Place(str(tmp_path / "a.yaml"), 9)
    assert found["spec.rules[0].backendRefs[0]"] == Place(str(tmp_path / "a.yaml"), 14)


def test_an_item_of_a_list_has_lines_of_its_own(tmp_path: Path) -> None:
    items = "".join(
        "- " + "\n  ".join(ROUTE.replace("name: r", f"name: r{number}").splitlines()) + "\n"
        for number in range(2)
    )
    (tmp_path / "a.yaml").write_text(f"apiVersion: v1\nkind: List\nitems:\n{items}")

    found = [problem.place for problem in read(tmp_path).problems if "parentRefs" in problem.path]

    assert [place.line for place in found if place] == [4 + 6, 4 + 13 + 6]


def test_a_path_that_is_none_is_on_the_line_of_its_object(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"---\n{ROUTE}")
    key = Key("HTTPRoute", "default", "r")
    problem = Problem("SER0506", "error", "taken", key=key, path="127.0.0.1:80")

    (found,) = located([problem], {key: Place(str(path), 2)})

    assert found.place == Place(str(path), 2)


def test_a_file_that_has_gone_leaves_the_line_of_the_object() -> None:
    key = Key("HTTPRoute", "default", "r")
    problem = Problem("SER0201", "error", "gone", key=key, path="spec")

    (found,) = located([problem], {key: Place("/nowhere/a.yaml", 7)})

    assert found.place == Place("/nowhere/a.yaml", 7)


def test_what_is_in_no_file_has_no_place() -> None:
    problem = Problem("SER0804", "error", "port taken", key=Key("Gateway", "a", "b"))

    assert list(located([problem], {})) == [problem]


def test_order_is_by_place_with_bugs_of_ours_last() -> None:
    def problem(code: str, place: Place | None) -> Problem:
        return Problem(code, "error", code, place=place)

    ordered = [
        problem("SER0005", Place("a.yaml", 2)),
        problem("SER0001", Place("a.yaml", 10)),
        problem("SER0002", Place("b.yaml", 1)),
        problem("SER0003", None),
        problem("SER9001", Place("a.yaml", 1)),
    ]

    assert list(in_order(reversed(ordered))) == ordered


def test_a_failure_is_told_as_ours_with_its_object() -> None:
    graph = Graph()
    table: Table[Key, int] = Table(graph, "numbers")

    def broken(_: Reader, __: Key, row: int) -> list[tuple[Key, int]]:
        raise ZeroDivisionError(f"row {row}")

    Derived(graph, "inverses", table, broken)
    key = Key("Service", "a", "b")
    table.put(key, 0)
    graph.commit()

    (found,) = failures(graph)

    assert (found.code, found.severity, found.key) == ("SER9001", "error", key)
    assert "a bug of Serai: inverses" in found.message and "row 0" in found.message


@pytest.mark.parametrize(
    ("key", "about"),
    [
        (FrontendKey(Key("Gateway", "a", "w"), Key("Service", "a", "s"), 80), "Service"),
        ((Key("Gateway", "a", "w"), "listener"), "Gateway"),
        (("text", 1), None),
    ],
)
def test_a_failure_is_about_the_object_rather_than_its_proxy(
    key: tuple[object, ...], about: str | None
) -> None:
    graph = Graph()
    graph.failures["node", key] = Failure("node", key, ValueError("x"))

    (found,) = failures(graph)

    assert (found.key.kind if found.key else None) == about


def test_rows_name_objects_and_places() -> None:
    problem = Problem("SER0001", "warning", "m", "r", Key("GatewayClass", "", "c"), "spec")
    placed = msgspec.structs.replace(problem, place=Place("f.yaml"))

    rows = problem_rows([problem, placed])

    assert [row.where for row in rows] == ["GatewayClass/c", "f.yaml"]
    assert [row.namespace for row in rows] == ["", ""]
    assert summary([problem]) == "0 errors, 1 warning"
