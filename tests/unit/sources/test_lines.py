"""Problems point at the line of their field."""

import pytest

from serai.sources.lines import lines_of

TEXT = """\
kind: HTTPRoute
metadata:
  name: a
  labels:
    example.com/team: x
spec:
  rules:
  - matches: []
    backendRefs:
    - name: b
      port: 80
  - {timeouts: {request: 1s},
     name: second}
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("", 1),
        ("kind", 1),
        ("metadata.labels[example.com/team]", 5),
        ("spec.rules[0]", 8),
        ("spec.rules[0].backendRefs[0].port", 11),
        ("spec.rules[1].name", 13),
        ("spec.rules[1].timeouts.request", 12),
        ("spec.rules[0].backendRefs[0].weight", 10),
        ("spec.rules[7].name", 7),
        ("spec.hostnames", 6),
        ("status", 1),
    ],
)
def test_a_field_or_the_nearest_around_it(path: str, line: int) -> None:
    assert lines_of(TEXT, (path,)) == (line,)


def test_json_too() -> None:
    assert lines_of('{\n "a": {\n  "b": [1,\n 2]}}', ("a.b", "a.b[1]")) == (3, 4)


def test_what_cannot_be_parsed_has_line_one() -> None:
    assert lines_of("a: [", ("a",)) == (1,)
    assert lines_of("a: \udcff", ("a",)) == (1,)
