"""Random AuthorizationPolicies and calls: the simulator decides as a plain reading of Istio."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from property.authorization import (
    ALIASES,
    GROUND,
    Call,
    Raw,
    allowed,
    calls,
    manifests,
    policy_sets,
)
from serai.api.decode import decode
from serai.api.meta import Key, Object
from serai.app.core import Core
from serai.model.settings import Settings
from serai.trace import Answered, Closed, TraceRequest, View, resolve, trace


class World:
    """One service, whose policies change from example to example."""

    def __init__(self) -> None:
        self.core = Core(Settings(trust_domain_aliases=ALIASES))
        self.core.apply(_decoded(GROUND))
        self._policies: set[Key] = set()

    def has(self, policies: list[Raw]) -> None:
        """These are the policies from now on."""
        objects = _decoded(manifests(0, policies))
        keys = {each.key for each in objects if each.key.kind == "AuthorizationPolicy"}
        self.core.apply(objects, self._policies - keys)
        self._policies = keys
        faults = [each for _, each in self.core.pipeline.problems.items()]
        assert not faults

    def allows(self, call: Call) -> bool:
        """What the simulator says."""
        view = View(self.core.pipeline.attached, self.core.pipeline.translated)
        url = f"{'http' if call.http else 'tcp'}://s0.example:{call.port}"
        headers = (("host", call.host), *call.headers) if call.http else ()
        found = resolve(
            view,
            url + call.path if call.http else url,
            method=call.method,
            headers=headers,
            as_=call.caller,
        )
        assert isinstance(found, TraceRequest), found
        outcome = trace(view, found).outcome
        assert not isinstance(outcome, Answered) or outcome.status == 403
        return not isinstance(outcome, Answered | Closed)


def _decoded(written: object) -> list[Object]:
    found = []
    for raw in written:  # type: ignore[attr-defined]
        decoded = decode(raw)
        assert decoded.object is not None, decoded.problems
        found.append(decoded.object)
    return found


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@settings(deadline=None, max_examples=600, suppress_health_check=list(HealthCheck))
@given(policies=policy_sets, asked=st.lists(calls, min_size=1, max_size=8))
@example([{"action": "ALLOW", "rules": []}], [Call()])
@example([{"action": "DENY", "rules": []}], [Call()])
@example([{"action": "DENY", "rules": [{}]}], [Call(), Call(http=False)])
def test_the_simulator_decides_as_the_model(
    world: World, policies: list[Raw], asked: list[Call]
) -> None:
    world.has(policies)
    assert [world.allows(each) for each in asked] == [allowed(policies, each) for each in asked]
