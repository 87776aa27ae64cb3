from __future__ import annotations

import pytest

from serai.policies import cel
from serai.policies.feature import Asked

ASKED = Asked("GET", "a.example", "/x?q=1", (("x-a", "1"), ("x-a", "2")), None)


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("request.path ==", "Syntax error"),
        ("nobody.knows", "undeclared reference"),
        ("response.code == 200", "undeclared reference"),
        ("1 + 1", "it is no condition: it comes to int"),
        ("true && (false || request.headers.exists(n, n == 'x'))", "no loops"),
        ("[string(request.size)] == ['0']", "string()"),
        ("!(request.path.matches('(') || false)", "not a regular expression"),
        ("request.host + ':80' == 'a.example:80'", "no strings"),
        ("request.nothing == 1", "no request.nothing"),
        ("request.path.frobnicate() == 'x'", "undeclared reference"),
    ],
)
def test_what_envoy_would_refuse_is_told_however_deep_it_lies(expression: str, why: str) -> None:
    assert why in cel.problem(expression)


def test_logs_are_written_of_what_was_answered() -> None:
    assert cel.problem("response.code >= 500 || upstream.local_address == ''", answered=True) == ""


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("request.headers['x-a'] == '1,2'", True),
        ("request.headers['x-b'] == '1'", False),
        ("request.url_path == '/x' && request.query == 'q=1'", True),
        ("request.size > 1", None),
        ("true || source.address == 'x'", None),
    ],
)
def test_it_is_judged_as_far_as_a_trace_knows(expression: str, holds: bool | None) -> None:  # noqa: FBT001
    assert cel.problem(expression) == ""
    assert cel.holds(expression, ASKED) is holds
