"""``/retry/...``: requests that fail until they have been tried often enough."""

from __future__ import annotations

from collections import Counter

from serai.api.duration import seconds
from serai.echo.request import EchoAnswer

PREFIX = "/retry/"


class Retries:
    """Counts the attempts of each request; what it asks for is in its query.

    ``uuid`` says which request it is, ``succeedAfter`` how many attempts fail, ``responseCode``
    with which status (without it, the connection is reset), ``delayRetry`` after how long.
    """

    def __init__(self) -> None:
        self._attempts: Counter[str] = Counter()

    def failing(self, asked: dict[str, str]) -> EchoAnswer | None:
        """How this attempt fails; None if it succeeds.  `asked` is the query."""
        request, after = asked.get("uuid", ""), asked.get("succeedAfter", "")
        if not request or not after.isdecimal():
            return EchoAnswer(status=400, body=b"uuid and succeedAfter (a number) are needed\n")
        self._attempts[request] += 1
        if self._attempts[request] > int(after):
            del self._attempts[request]
            return None
        status = asked.get("responseCode", "")
        delay = seconds(asked.get("delayRetry", "0s")) or 0.0
        if not status:
            return EchoAnswer(delay=delay, reset=True)
        return EchoAnswer(status=int(status), body=b"not yet\n", delay=delay)
