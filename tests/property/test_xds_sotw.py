"""The same courses of events in the state-of-the-world protocol."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test

from property.talk import PROXY, C, E, Envoy, R, S, Talk
from serai.xds import waits
from serai.xds.resource import ResourceType
from serai.xds.sotw import WHOLE, SotwRequest, SotwResponse, SotwStream


class SotwEnvoy(Envoy):
    """Names all it wants in each request; takes a set of clusters or scopes as all there are."""

    def __init__(self, choose: Any) -> None:
        super().__init__(choose)
        self.versions: dict[ResourceType, str] = {}
        self.nonces: dict[ResourceType, str] = {}
        self.says: deque[Any] = deque()
        self.reads: deque[Any] = deque()
        self.withheld: list[Any] = []

    def connect(self) -> None:
        self.says.clear()
        self.reads.clear()
        self.withheld.clear()
        self.nonces.clear()
        self.applied = {type_: dict(accepted) for type_, accepted in self.accepted.items()}
        self.asked = {E: set(self.applied[C]), R: self.named(S)}
        for type_ in (C, E, S, R):
            if type_ not in self.asked or self.asked[type_]:
                self.say(type_)

    def say(self, type_: ResourceType, error: str | None = None) -> None:
        self.says.append(self.request(type_, error))

    def request(self, type_: ResourceType, error: str | None) -> SotwRequest:
        return SotwRequest(
            type_,
            names=tuple(sorted(self.asked.get(type_, ()))),
            version=self.versions.get(type_, ""),
            nonce=self.nonces.get(type_, ""),
            error=error,
        )

    def read(self) -> None:
        response: SotwResponse = self.reads.popleft()
        type_ = response.type
        bad = [entry for entry in response.resources if entry.version.endswith("!")]
        sent = {entry.name for entry in response.resources}
        for name in self.applied[type_].keys() - sent if type_ in WHOLE else ():
            if not bad or self.choose():
                self.forget(type_, name)
        for entry in response.resources:
            if entry not in bad and (not bad or self.choose()):
                self.take(entry)
        if not bad:
            self.versions[type_] = response.version
            self.accepted[type_] = {
                name: entry
                for name, entry in self.applied[type_].items()
                if name in sent or name in self.accepted[type_]
            }
        self.ask()
        self.nonces[type_] = response.nonce
        error = f"bad: {bad[0].name}" if bad and self.choose() else "bad" if bad else None
        if type_ is E:
            self.warming -= sent
        if type_ is C:
            self.withheld = [self.request(type_, error)]
        else:
            self.say(type_, error)
        self.release()

    def ask(self) -> None:
        for type_, namer in ((E, C), (R, S)):
            want, has = self.named(namer), self.asked[type_]
            if want != has:
                for name in has - want:
                    self.applied[type_].pop(name, None)
                    self.accepted[type_].pop(name, None)
                self.asked[type_] = want
                self.say(type_)


class SotwTalk(Talk):
    """Reconnects to the same server only: what a new one doesn't know, its sets take away.

    Nor with parts of a rejected set, of which Envoy's version doesn't tell.
    """

    @initialize(random=st.randoms(use_true_random=False))
    def start(self, random: Any) -> None:
        self.envoy = SotwEnvoy(lambda: random.random() < 0.5)
        self.stream: Any = SotwStream(self.world.resources(PROXY))
        self.envoy.connect()

    @precondition(lambda self: self.envoy.applied == self.envoy.accepted)
    @rule()
    def reconnect(self) -> None:  # never to a new server
        self.stream = SotwStream(self.world.resources(PROXY), self.stream.memory())
        self.envoy.connect()


def test_any_talk_with_envoy_ends_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "ADDITION_SECONDS", 1e9)
    monkeypatch.setattr(waits, "REMOVAL_SECONDS", 1e9)
    run_state_machine_as_test(
        SotwTalk,
        settings=settings(
            max_examples=150,
            stateful_step_count=50,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
