from __future__ import annotations

import re2

from serai.translate.external_auth import OWN, other_than

LARGEST_PROGRAM = 100
"""Envoy takes no regular expression that comes to more: re2.max_program_size.error_level."""


def test_all_headers_are_copied_but_those_of_one_message() -> None:
    patterns = [re2.compile(each) for each in other_than(OWN)]

    def copied(name: str) -> bool:
        return any(pattern.fullmatch(name) for pattern in patterns)

    own = [":status", "connection", "content-length", "host", "keep-alive", "transfer-encoding"]
    others = ["x-user", "content-type", "cookie", "con", "hos", "h", "trace", "tenant", "~", "1"]
    assert [name for name in own if copied(name)] == []
    assert [name for name in others if not copied(name)] == []
    assert [each for each in patterns if each.programsize > LARGEST_PROGRAM] == []
