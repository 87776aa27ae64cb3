"""Sovereign, a control plane in Python from PyPI: what it costs to say what changed.

``python -m bench.peers.sovereign SIZE RUNS`` prints a line of JSON.  It renders templates and is
asked again and again by REST.  So one change costs it what all of it costs: a template is rendered,
each resource typed, the whole hashed and written as JSON.  It is measured without its HTTP server
and its pool of processes, in its favour: clusters with ten endpoints each, by a template in Python
and by one in Jinja.  It lives in a virtual environment of its own, outside of the checkout.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from bench.figures import Figures, Result, machine_load

VERSION = "1.0.0b157"
JINJA_UP_TO = 1_000
"""Services; beyond it the Jinja template takes a minute."""


def environment() -> Path | None:
    """Its Python, installed if it is not there; None where it cannot be had."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "serai-bench" / f"sovereign-{VERSION}"
    python = folder / "bin" / "python"
    if (folder / "ready").exists():
        return python
    commands = (
        (sys.executable, "-m", "venv", "--clear", str(folder)),
        (str(python), "-m", "pip", "install", "--quiet", f"sovereign=={VERSION}"),
    )
    for command in commands:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            print(f"Sovereign is left out: {last}", file=sys.stderr)
            return None
    (folder / "ready").touch()
    return python


def measure(size: int) -> Figures:
    """Run it there."""
    python = environment()
    if python is None:
        return {}
    script = Path(__file__).with_name("in_sovereign.py")
    jinja = str(int(size <= JINJA_UP_TO))
    command = (
        str(python),
        "-P",
        str(script),
        str(size),
        jinja,
    )  # -P: there is a sovereign.py beside
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"Sovereign is left out: {last}", file=sys.stderr)
        return {}
    found: Figures = msgspec.json.decode(done.stdout.strip().splitlines()[-1])
    return found


def main(size: int) -> None:
    """Measure one size."""
    began, load = time.perf_counter(), machine_load()
    figures = measure(size)
    took = round(time.perf_counter() - began, 1)
    print(msgspec.json.encode(Result("peers.sovereign", size, figures, took, load)).decode())


if __name__ == "__main__":
    main(int(sys.argv[1]))
