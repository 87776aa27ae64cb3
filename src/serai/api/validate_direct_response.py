"""What kgateway's definition of DirectResponse refuses, and what Envoy would."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.direct_response import BodyFormat, DirectResponse
from serai.api.faults import clash, wrong
from serai.api.operators import nested_fault, operators_fault
from serai.api.problem import Problem

LONGEST_BODY = 4096
_STATUSES = range(200, 600)


def check_direct_response(answer: DirectResponse) -> Iterator[Problem]:
    """Its status, and what is in the body."""
    spec = answer.spec
    if spec.status not in _STATUSES:
        yield wrong("spec.status", spec.status, "a status of an answer", "Use 200 to 599.")
    if spec.body is not None and len(spec.body) > LONGEST_BODY:
        yield wrong("spec.body", spec.body, "a short text", f"Use at most {LONGEST_BODY} letters.")
    if spec.body is not None and spec.body_format is not None:
        yield clash("spec.bodyFormat", "there is both body and bodyFormat", "Keep one of them.")
    if spec.body_format is not None:
        yield from format_faults("spec.bodyFormat", spec.body_format)


def format_faults(path: str, found: BodyFormat) -> Iterator[Problem]:
    """A body with operators in it."""
    if (found.text is None) == (found.json is None):
        yield clash(path, f"{path} needs one of text and json", "Keep one of them.")
    elif found.text is not None and (fault := operators_fault(found.text)):
        yield wrong(f"{path}.text", found.text, f"a format: {fault}", "Correct it.")
    elif found.json is not None and (fault := nested_fault(found.json)):
        yield wrong(f"{path}.json", "", f"a format: {fault}", "Correct it.")
