"""Rules that say of nobody whom they are for."""

from __future__ import annotations

import pytest

from unit.policies.one_policy import decided

CALL = "to: [{operation: {methods: [GET]}}]"


@pytest.mark.parametrize("action", ["ALLOW", "DENY", "CUSTOM"])
@pytest.mark.parametrize(
    "rule",
    [
        f"from: [], {CALL}",
        f"from: [{{}}], {CALL}",
        f"from: [{{source: {{principals: []}}}}], {CALL}",
        f"from: [{{source: {{namespaces: [a]}}}}, {{source: {{}}}}], {CALL}",
        'from: [{source: {notPrincipals: [""]}}]',
        'from: [{source: {principals: ["*", ""]}}]',
        "to: []",
        "to: [{}]",
        'to: [{operation: {notPaths: [""]}}]',
        "when: [{key: source.ip}]",
        "when: [{key: source.ip, values: []}]",
        'when: [{key: "request.headers[x]", notValues: [""]}]',
    ],
)
def test_whoever_comes_is_refused_where_a_part_of_a_rule_is_empty(action: str, rule: str) -> None:
    (problem,), status = decided(action, f"{{{rule}}}")
    assert (problem.code, problem.path) == ("SER1002", "spec.rules[0]")
    assert status == 403


@pytest.mark.parametrize("rule", ["{}", "{from: [{source: {principals: ['*']}}]}"])
def test_what_is_not_written_asks_for_nothing(rule: str) -> None:
    problems, _ = decided("ALLOW", rule)
    assert problems == []
