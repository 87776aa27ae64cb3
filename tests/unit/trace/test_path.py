"""Paths as Envoy 1.40 was seen to normalise them; every line was asked of the real one."""

from __future__ import annotations

import pytest

from serai.trace.path import normalised

KEPT = "!$%&'()*+,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_abcdefghijklmnopqrstuvwxyz~"
UNESCAPED = "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~"
ESCAPED = '"<>^`{|}'


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ("/", "/"),
        ("/p", "/p"),
        ("//p//x", "/p/x"),
        ("//", "/"),
        ("/p///", "/p/"),
        ("/p/../h", "/h"),
        ("/p/./x", "/p/x"),
        ("/p/%2e%2e/x", "/x"),
        ("/p/%2E/x", "/p/x"),
        ("/p/.%2e/p", "/p"),
        ("/p/.a/%2e.%2e", "/p/.a/..."),
        ("/p/a%2E%2E/b", "/p/a../b"),
        ("/p\\x", "/p/x"),
        ("/p\\..\\p/z", "/p/z"),
        ("/p/\\", "/p/"),
        ("/p/a%41%7e%2d", "/p/aA~-"),
        ("/p/%zz", "/p/%zz"),
        ("/p/%", "/p/%"),
        ("/p/x%2", "/p/x%2"),
        ("/p/%252e", "/p/%252e"),
        ("/p/%C3%A4%c3", "/p/%C3%A4%c3"),
        ("/p?a//b/../c", "/p?a//b/../c"),
        ("/p//?a//b", "/p/?a//b"),
        ("/../../p", "/p"),
        ("/p/a/..", "/p/"),
        ("/p/a/../", "/p/"),
        ("/p/.", "/p/"),
        ("/p/...", "/p/..."),
        ("/p/..a/", "/p/..a/"),
        ("/p;/../p/x", "/p/x"),
        ("/p/a/b/c/./../../g", "/p/a/g"),
        ("/p??", "/p??"),
        ("*", "*"),
    ],
)
def test_a_path_is_normalised(sent: str, seen: str) -> None:
    found = normalised(sent)

    assert found is not None
    assert (found.text, found.redirected) == (seen, False)


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("/p%2Fx", "/p/x"),
        ("/p%5cx?a%2Fb", "/p/x?a%2Fb"),
        ("/p%2F..%2F..%2Fq?z", "/q?z"),
        ("/p%2f%2f/x", "/p/x"),
        ("/p/%5C..%5Cp", "/p/p"),
        ("/p/x%2f%2F?", "/p/x/?"),
    ],
)
def test_an_escaped_slash_is_sent_elsewhere(sent: str, told: str) -> None:
    found = normalised(sent)

    assert found is not None
    assert (found.text, found.redirected) == (told, True)


@pytest.mark.parametrize("sent", ["p", "", "?x", "/p#f", "/p/a b", "/p/%00", "/p/\xe4", "/p\n"])
def test_what_is_no_path_is_refused(sent: str) -> None:
    assert normalised(sent) is None


def test_every_byte_is_kept_escaped_or_refused_as_seen() -> None:
    for code in range(256):
        character = chr(code)
        found = normalised(f"/p/x{character}y")
        if character in KEPT:
            assert found and found.text == f"/p/x{character}y"
        elif character in ESCAPED:
            assert found and found.text == f"/p/x%{code:02X}y"
        elif character == "\\":
            assert found and found.text == "/p/x/y"
        else:
            assert found is None, code


def test_only_what_need_not_be_escaped_is_unescaped() -> None:
    for code in set(range(1, 256)) - {ord("/"), ord("\\")}:
        found = normalised(f"/p/x%{code:02X}y")
        assert found is not None
        same = chr(code) in UNESCAPED
        assert found.text == (f"/p/x{chr(code)}y" if same else f"/p/x%{code:02X}y")
