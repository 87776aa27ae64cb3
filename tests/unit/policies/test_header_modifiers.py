"""Values from Secrets that headers cannot have."""

from __future__ import annotations

import base64

import pytest

from unit.policies.one_policy import told

SET = "headerModifiers: {request: {set: [{name: x-key, secretRef: {name: keys, key: k}}]}}"


def secret(value: bytes) -> str:
    return f"""
        apiVersion: v1
        kind: Secret
        metadata: {{name: keys, namespace: shop}}
        data: {{k: {base64.b64encode(value).decode()}, other: //8=}}
    """


@pytest.mark.parametrize("value", [b"\xff\xfehidden", b"hid\nden", b"hid\0den", b"h" * 20_000])
def test_a_secret_that_no_header_can_have_is_told_and_not_shown(value: bytes) -> None:
    (problem,) = told(SET, secret(value))
    assert (problem.code, problem.path) == ("SER1002", "spec.headerModifiers.request.set[0]")
    assert "hid" not in problem.message and "hhh" not in problem.message


def test_the_newline_that_an_editor_writes_at_the_end_is_no_part_of_the_value() -> None:
    assert told(SET, secret(b"key\n")) == []


@pytest.mark.parametrize("name", ['"x y"', '"x\\0"', "x:y", "Host", '""'])
def test_what_is_no_name_of_a_header_is_told(name: str) -> None:
    (problem,) = told(f"headerModifiers: {{request: {{remove: [{name}]}}}}")
    assert (problem.code, problem.path) == ("SER1002", "spec.headerModifiers.request")


@pytest.mark.parametrize("name", ["':authority'", "host", '""', '"x y"'])
def test_nor_can_an_internal_redirect_copy_it(name: str) -> None:
    (problem,) = told(f"internalRedirect: {{responseHeadersToCopy: [{name}]}}")
    assert problem.path == "spec.internalRedirect.responseHeadersToCopy"
