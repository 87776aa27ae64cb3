from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from serai.policies.script import quoted, table


def read(text: str) -> str:
    """A quoted text as Lua reads it."""
    assert re.fullmatch(r'"([a-zA-Z0-9]|\\[0-9]{3})*"', text), text
    parts = re.findall(r"\\([0-9]{3})|(.)", text[1:-1])
    return bytes(int(code) if code else ord(letter) for code, letter in parts).decode()


@given(st.text())
def test_a_quoted_text_is_itself_and_ends_where_it_ends(text: str) -> None:
    assert read(quoted(text)) == text


def test_a_table_lists_texts() -> None:
    assert table(["a", "b]]"]) == '{"a", "b\\093\\093"}'
