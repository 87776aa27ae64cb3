from __future__ import annotations

from pathlib import Path

import pytest

from serai.api.problem import Problem
from serai.app.demo.facts import endpoint_facts, expected_facts, problem_facts
from serai.app.demo.steps import Edit, Step, read_script
from serai.views.endpoints import endpoint_rows
from serai.views.problems import ProblemRow
from unit.views.worlds import written

TWO = "kind: A\nname: one\n---\nkind: A\nname: two\n"


def test_a_text_is_replaced() -> None:
    assert Edit(file="x", replace="one", by="three").apply(TWO) == TWO.replace("one", "three")


def test_a_document_is_removed_and_the_rest_stays_whole() -> None:
    assert Edit(file="x", remove="name: two").apply(TWO) == "kind: A\nname: one\n"
    assert Edit(file="x", remove="name: one").apply(TWO) == "kind: A\nname: two\n"


def test_a_document_is_added_at_the_end() -> None:
    assert Edit(file="x", add="kind: B\n").apply(TWO) == f"{TWO}---\nkind: B\n"


@pytest.mark.parametrize(
    "edit",
    [
        Edit(file="x", replace="kind: A", by="kind: B"),
        Edit(file="x", replace="three", by="four"),
        Edit(file="x", remove="kind: A"),
        Edit(file="x", remove="three"),
    ],
)
def test_an_edit_that_is_not_clear_is_refused(edit: Edit) -> None:
    with pytest.raises(ValueError, match="exactly"):
        edit.apply(TWO)


@pytest.mark.parametrize("text", ["title: x\nsteps: [{stp: y}]", "title: [", "[]", "title: x"])
def test_steps_that_cannot_be_read_are_a_problem(text: str) -> None:
    found = read_script(text, Path("examples/x.demo.yaml"))
    assert isinstance(found, Problem)
    assert found.place is not None and found.place.file == "examples/x.demo.yaml"


def test_what_is_listed_is_expected_in_any_order_and_nothing_else() -> None:
    step = Step(step="x", get="http://x/", expect={"status": 200, "pod": ("b", "a")})
    assert expected_facts(step) == {"status": "200", "pod": "a, b", "trace said": "so"}
    assert expected_facts(Step(step="x", problems=())) == {"problems": "none"}


def test_what_the_simulator_cannot_know_need_not_be_foretold() -> None:
    step = Step(step="x", get="http://x/", foretold=False, expect={"status": 200})
    assert expected_facts(step) == {"status": "200"}
    bytes_ = Step(step="x", get="tcp://x:1", expect={"echoed": "yes"})
    assert expected_facts(bytes_) == {"echoed": "yes", "trace said": "so"}


def test_of_an_endpoint_there_is_its_status_and_more(tmp_path: Path) -> None:
    found = written(
        tmp_path,
        """
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {name: a, namespace: shop}
        spec:
          hosts: [a.example]
          ports: [{number: 80, name: http, protocol: HTTP, targetPort: 7001}]
          resolution: STATIC
          endpoints: [{address: 127.0.4.1, locality: eu/a, network: n1}, {address: 127.0.4.2}]
        """,
    )
    assert endpoint_facts(endpoint_rows(found)) == {
        "endpoints": "127.0.4.1:7001, 127.0.4.2:7001",
        "127.0.4.1:7001": "ready",
        "127.0.4.1:7001 in": "eu/a",
        "127.0.4.1:7001 network": "n1",
        "127.0.4.1:7001 priority": "-",
        "127.0.4.1:7001 envoys": "-",
        "127.0.4.2:7001": "ready",
        "127.0.4.2:7001 in": "none",
        "127.0.4.2:7001 network": "none",
        "127.0.4.2:7001 priority": "-",
        "127.0.4.2:7001 envoys": "-",
    }
    assert endpoint_facts([]) == {"endpoints": "none"}


def test_problems_are_matched_by_their_parts_and_shown_whole_where_they_do_not() -> None:
    row = ProblemRow(
        severity="error",
        code="SER0005",
        object="ServiceEntry/infra/mistake",
        field="spec.x",
        message="spec.x is not a field",
        remedy="Did you mean y?",
        file="/tmp/demo/broken.yaml",
        line=17,
    )
    whole = (
        "broken.yaml:17 error SER0005 ServiceEntry infra/mistake spec.x:"
        " spec.x is not a field. Did you mean y?"
    )
    for expected, found in (
        ("broken.yaml:17 error ... Did you mean y", "broken.yaml:17 error ... Did you mean y"),
        ("Did you mean y ... broken.yaml", whole),
        ("broken.yaml:18", whole),
    ):
        assert problem_facts([expected], [row], Path("/tmp/demo")) == {"problems": found}
    assert problem_facts(["anything"], [], Path("/tmp/demo")) == {"problems": "none"}
