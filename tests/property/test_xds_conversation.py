"""Any course of changes, answers, rejections, delays and reconnects ends in what should be.

A model of Envoy takes part: it asks for endpoints when it gets a cluster, for route configurations
when it gets a scope, withholds its answer about clusters while one of them warms, and applies any
part of what it rejects.  After each response, whatever route is in force finds its clusters.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    run_state_machine_as_test,
)

from property.talk import Talk
from serai.xds import waits


def test_any_talk_with_envoy_ends_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "ADDITION_SECONDS", 1e9)
    monkeypatch.setattr(waits, "REMOVAL_SECONDS", 1e9)
    run_state_machine_as_test(
        Talk,
        settings=settings(
            max_examples=250,
            stateful_step_count=50,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
