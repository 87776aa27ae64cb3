from __future__ import annotations

import json
from pathlib import Path

from casekit.case import load
from serai.policies.api_key_auth import Keys
from serai.policies.basic_auth import Users
from serai.trace import TraceRequest, lines, resolve, trace, withheld
from serai.views.configuration import configuration

CASES = Path(__file__).parents[2] / "cases/policies"


def test_keys_and_passwords_are_shown_to_nobody_but_envoy() -> None:
    for name, hidden, shown in (
        ("api-keys-from-secrets", "key-of-", "alice"),
        ("passwords-from-a-secret", "alice:{SHA}", "BasicAuth"),
        ("shaping-of-requests", "100%%-secret", "x-api-key"),
    ):
        stage = next(iter(load(CASES / name).stages()))
        sent = [each.body for _, each in stage.world.pipeline.snapshot.items()]
        told = json.dumps(configuration(stage.world.pipeline, stage.problems))

        assert any(hidden.encode() in body for body in sent)
        assert shown in told
        assert hidden not in told


def test_a_trace_tells_of_a_secret_header_by_name_only() -> None:
    stage = next(iter(load(CASES / "shaping-of-requests").stages()))
    question = resolve(stage.view, "http://vendor.example/")
    assert isinstance(question, TraceRequest)

    shown = "\n".join(lines(withheld(trace(stage.view, question))))

    assert "header       x-api-key: [redacted]" in shown
    assert "100%-secret" not in shown and "x-from: serai" in shown


def test_nor_are_they_in_what_a_log_may_show() -> None:
    assert "secret" not in repr(Keys(known=(("secret", "alice"),)))
    assert "secret" not in repr(Users((("alice", "secret"),)))
