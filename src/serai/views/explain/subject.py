"""What every explanation of an object needs: the state, and what is the same for all kinds."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from serai.api.meta import Condition, Key
from serai.status.values import ConditionsStatus, GatewayStatus, ServiceEntryStatus
from serai.views.explain.explanation import Explanation, Line
from serai.views.members import Members
from serai.views.problems import problem_rows
from serai.views.state import State


class Subject:
    """A state that questions are asked about."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.pipeline = state.pipeline
        self.attached = state.pipeline.attached

    @cached_property
    def members(self) -> Members:
        """Who stands behind which backend."""
        return Members(self.pipeline)

    def explanation(
        self, key: Key, headline: Iterable[str], lines: Iterable[Line] = ()
    ) -> Explanation:
        """An explanation, with the object's place and problems."""
        mine = [problem for problem in self.state.problems if problem.key == key]
        place = self.state.places.get(key)
        return Explanation(
            kind=key.kind,
            namespace=key.namespace,
            name=key.name,
            headline=tuple(headline),
            place=str(place) if place else "",
            lines=tuple(lines),
            problems=tuple(problem_rows(mine)),
        )

    def status_lines(self, key: Key) -> list[Line]:
        """The conditions of an object of which there is nothing else to say."""
        status = self.pipeline.statuses.row(key)
        if isinstance(status, GatewayStatus | ConditionsStatus | ServiceEntryStatus):
            return [condition_line(each) for each in status.conditions]
        return []


def condition_line(condition: Condition) -> Line:
    """A condition as a line."""
    message = f": {condition.message}" if condition.message else ""
    reason = f" ({condition.reason})" if condition.reason != condition.type else ""
    return Line("condition", f"{condition.type}={condition.status}{reason}{message}")
