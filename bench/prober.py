"""Asks for one thing again and again, until the answer shows what is waited for.

``python -m bench.prober`` reads watches (a line of JSON each) and prints two lines for each: what
is there at first, and when the wanted answer had come.  Its clock is that of all processes of the
machine (CLOCK_MONOTONIC).  It asks some 1,500 times a second, so a figure is up to 0.7 ms late.
"""

from __future__ import annotations

import sys
import time

import msgspec

from bench.asking import Asking

PAUSE = 0.0003
"""Seconds between two questions."""


class Watch(msgspec.Struct):
    """What to ask, and for what."""

    port: int
    """Of the proxy, on 127.0.0.1."""
    destination: str
    """Empty at a gateway."""
    wanted: str
    """What the answer shows, anywhere in it, once the change is there."""
    before: str = ""
    """What other answers must have in them, or they are errors; empty: anything may be."""
    fresh: bool = False
    """Whether each question has a connection of its own."""
    closing: bool = False
    """Whether a connection that is closed is an answer, which then is ``closed``."""
    host: str = "bench"
    patience: float = 60.0
    """Seconds."""


class Shown(msgspec.Struct):
    """When it was there."""

    at: float
    """Seconds of CLOCK_MONOTONIC, at the end of the first such answer; 0: it never came."""
    asked: int
    errors: int
    """Requests without an answer, and answers that were neither what was nor what will be."""
    last: str = ""
    """Of the last of them."""


def watch(what: Watch) -> Shown:
    """Ask until it is shown."""
    asking = Asking(what.port, what.destination, what.host)
    wanted, before = what.wanted.encode(), what.before.encode()
    end = time.monotonic() + what.patience
    found = Shown(0.0, 0, 0)
    while (now := time.monotonic()) < end:
        found.asked += 1
        try:
            answer = asking.ask()
        except OSError as error:
            answer = b"closed" if what.closing else b""
            found.errors += not what.closing
            found.last = found.last if what.closing else str(error)
        now = time.monotonic()
        if wanted in answer:
            found.at = now
            break
        if answer and before not in answer:
            found.errors += 1
            found.last = answer.decode(errors="replace")[:200]
        if found.asked == 1:
            print("watching", flush=True)
        if what.fresh:
            asking.hang_up()
        time.sleep(PAUSE)
    asking.hang_up()
    if found.asked == 1:
        print("watching", flush=True)
    return found


def main() -> None:
    """Watch what is asked for, until there are no more questions."""
    for line in sys.stdin:
        print(
            msgspec.json.encode(watch(msgspec.json.decode(line, type=Watch))).decode(), flush=True
        )


if __name__ == "__main__":
    main()
