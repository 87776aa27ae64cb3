"""YAML is read as kubectl reads it, within limits, and every fault has its line and a remedy."""

import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from serai.sources.parsed import Fault
from serai.sources.yaml import parse_yaml


def value(text: str) -> Any:
    parsed = parse_yaml(text)
    assert not parsed.faults
    return parsed.value


def fault(text: str) -> Fault:
    faults = parse_yaml(text).faults
    assert len(faults) == 1
    assert faults[0].remedy
    return faults[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes", True),
        ("Off", False),
        ("y", True),
        ("N", False),
        ("yEs", "yEs"),
        ("'yes'", "yes"),
        ("~", None),
        ("080", 80),
        ("010", 8),
        ("0o10", 8),
        ("0x1F", 31),
        ("0b11", 3),
        ("-0x10", -16),
        ("1_000", 1000),
        ("1e3", 1000),
        ("80.0", 80),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1:30", "1:30"),
        ("2001-01-01", "2001-01-01"),
        ("2001-01-01T00:00:00Z", "2001-01-01T00:00:00Z"),
        ("1.2.3", "1.2.3"),
        ("+", "+"),
        ("!!str 80", "80"),
        ("! 80", "80"),
        ('!!int "80"', 80),
        ("9" * 50, float("9" * 50)),
    ],
)
def test_scalars_are_what_kubectl_reads(text: str, expected: object) -> None:
    found = value(f"a: {text}")["a"]
    assert (found, type(found)) == (expected, type(expected))


def test_keys_become_strings() -> None:
    assert value("80: a\ntrue: b\nyes_: c\n1.5: d") == {
        "80": "a",
        "true": "b",
        "yes_": "c",
        "1.5": "d",
    }


def test_aliases_and_merges() -> None:
    text = "base: &b {x: 1, z: 2}\nuse:\n  <<: *b\n  z: 3\nlist: [*b, *b]"
    parsed = value(text)
    assert parsed["use"] == {"x": 1, "z": 3}
    assert parsed["list"] == [{"x": 1, "z": 2}] * 2


def test_a_quoted_merge_key_is_a_key() -> None:
    assert value('"<<": {a: 1}') == {"<<": {"a": 1}}


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n"])
def test_nothing_is_no_fault(text: str) -> None:
    assert value(text) is None


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb:\n\t- c", 3, "tab"),
        ("a:\n  b: [1,\n", 2, "flow"),
        ("a: b: c", 1, "mapping values"),
        ("a: 1\nother\n", 2, "simple key"),
        ("a: 'x\n", 1, "quoted"),
        ("a: 1\n\nb: \x01", 3, "control characters"),
        ("a: *nowhere", 1, "nowhere"),
        ("a: &a [*a]", 1, "refers to nothing"),
        ("a: !secret x", 1, "!secret"),
        ("a: !!binary eA==", 1, "binary"),
        ("? [a]\n: b", 1, "key"),
        ("a: 1\n~: 2", 2, "key"),
        ("a:\n  <<: 3", 2, "<<"),
    ],
)
def test_faults_have_the_line(text: str, line: int, words: str) -> None:
    found = fault(text)
    assert (found.code, found.line) == ("SER0001", line)
    assert words in found.message + found.remedy


def test_a_key_that_appears_twice_is_a_fault_that_keeps_the_rest_readable() -> None:
    parsed = parse_yaml("kind: A\nspec:\n  port: 1\n  port: 2\n")
    assert parsed.value == {"kind": "A", "spec": {"port": 1}}
    assert [(f.code, f.line) for f in parsed.faults] == [("SER0004", 4)]
    assert "port" in parsed.faults[0].message


def test_depth_is_limited() -> None:
    assert value("[" * 64 + "]" * 64)
    assert fault("[" * 65 + "]" * 65).code == "SER0011"
    assert fault("{a: " * 5000 + "}" * 5000).code in ("SER0011", "SER0001")


def test_depth_is_limited_through_aliases() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 80)]
    assert fault("\n".join(lines)).code == "SER0011"


def test_aliases_cannot_blow_up() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert fault("\n".join(lines)).code == "SER0011"


def test_lines_of_items() -> None:
    assert parse_yaml("# x\nkind: List\nitems:\n- a: 1\n\n-\n  b: 2\n").item_lines == (4, 7)


@given(st.text(alphabet="a:-[]{}&*!'\"\n\t #|>%@`,?<~0", max_size=40))
def test_nothing_makes_it_raise(text: str) -> None:
    assert all(found.line >= 1 for found in parse_yaml(text).faults)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.text(st.characters(exclude_categories=["C"]), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["C"]), max_size=8), inner)
    ),
    max_leaves=12,
)


@given(VALUES, st.sampled_from(["block", "flow"]))
def test_what_a_yaml_writer_writes_is_read_back(written: Any, style: str) -> None:
    if isinstance(written, (dict, list)) and written and not has_quirks(written):
        text = yaml.safe_dump(written, default_flow_style=style == "flow", allow_unicode=True)
        assert parse_yaml(text).value == written


def has_quirks(written: Any) -> bool:
    """Words that PyYAML writes without quotes and kubectl reads as something else."""
    if isinstance(written, str):
        return re.fullmatch(r"[yYnN]|[-+0-9._].*", written) is not None
    if isinstance(written, dict):
        return any(has_quirks(key) or has_quirks(below) for key, below in written.items())
    return isinstance(written, list) and any(has_quirks(below) for below in written)
