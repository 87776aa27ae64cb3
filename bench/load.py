"""A constant load of requests, and what became of each of them.

``python -m bench.load PORT SERVICES RATE`` asks one service after the other, half of the time over
connections that stay, and prints what it counted when its input ends.
"""

from __future__ import annotations

import select
import sys
import time

import msgspec

from bench.asking import Asking
from bench.worlds import vip

KEPT = 8
"""Connections that stay; each is of one service."""


class Counted(msgspec.Struct):
    """What was asked and how it went."""

    asked: int = 0
    failed: int = 0
    """Without an answer, or with another status than 200."""
    last: str = ""
    """What was wrong with the last of them."""
    seconds: list[float] = []
    """How long each answer took."""


def ask(asking: Asking, counted: Counted) -> None:
    """One request."""
    began = time.monotonic()
    counted.asked += 1
    try:
        answer = asking.ask()
    except OSError as error:
        counted.failed += 1
        counted.last = str(error)
        return
    counted.seconds.append(time.monotonic() - began)
    if not answer.startswith(b"HTTP/1.1 200"):
        counted.failed += 1
        counted.last = answer.decode(errors="replace")[:200]


def main(port: int, services: int, rate: float) -> None:
    """Ask until told to end."""
    kept = [Asking(port, vip(number * services // KEPT)) for number in range(KEPT)]
    counted = Counted()
    print("ready", flush=True)
    at = time.monotonic()
    while not select.select([sys.stdin], [], [], max(0.0, at - time.monotonic()))[0]:
        at = max(at + 1 / rate, time.monotonic() - 0.1)
        if counted.asked % 2:
            ask(kept[counted.asked // 2 % KEPT], counted)
        else:
            asking = Asking(port, vip(counted.asked * 7919 % services))
            ask(asking, counted)
            asking.hang_up()
    print(msgspec.json.encode(counted).decode(), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
