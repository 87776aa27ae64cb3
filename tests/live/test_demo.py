"""`serai demo`, as people run it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from live.envoys import end_what_names
from serai.app.demo.files import examples
from serai.envoy.pid import processes

pytestmark = pytest.mark.live


def left(tmp: Path) -> list[object]:
    """Files and processes of a demo that are still there after a moment."""
    deadline = time.monotonic() + 5
    found: list[object] = []
    while time.monotonic() < deadline:
        found = [command for _, command in processes() if any(str(tmp) in part for part in command)]
        if not found:
            break
        time.sleep(0.05)
    end_what_names(tmp)
    return [*found, *tmp.glob("serai-demo-*")]


def demo(tmp: Path, *arguments: str) -> subprocess.Popen[str]:
    """A demo whose folder, and so everything it starts, names `tmp`."""
    return subprocess.Popen(
        (Path(sys.executable).with_name("serai"), "demo", *arguments),
        env=os.environ | {"TMPDIR": str(tmp)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_interruptible,  # noqa: PLW1509  nothing but a system call
    )


def _interruptible() -> None:
    """As from a terminal, also where the tests run as a job of a shell, which ignores Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
def test_every_step_passes_twice_at_once_and_nothing_is_left(tmp_path: Path) -> None:
    first, second = demo(tmp_path), demo(tmp_path, "quickstart", "-o", "json")
    said, errors = first.communicate(timeout=60)
    plain, talk = second.communicate(timeout=60)

    assert first.returncode == 0, said + errors
    assert second.returncode == 0, plain + talk
    steps = json.loads(plain)
    assert said.splitlines()[-1] == talk.splitlines()[-1] == f"demo: {len(steps)} passed, 0 failed"
    assert [step["step"] for step in steps if not step["passed"]] == []
    assert all(step["expected"] == step["got"] and step["got"] for step in steps)
    arrivals = [step["arrivedMilliseconds"] for step in steps if step["arrivedMilliseconds"]]
    assert len(arrivals) >= 3 and max(arrivals) < 3000
    assert said.count("expected  ") == said.count("got       ") == len(steps)
    assert left(tmp_path) == []


SCENARIOS = sorted(examples().keys() - {"quickstart"})


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_step_of_a_scenario_passes_and_no_request_meanwhile_fails(
    tmp_path: Path, name: str
) -> None:
    plain, talk = (running := demo(tmp_path, name, "-o", "json")).communicate(timeout=110)

    steps = json.loads(plain)
    wrong = [step for step in steps if not step["passed"]]
    assert running.returncode == 0, f"{wrong}\n{talk}"
    assert talk.splitlines()[-1] == f"demo: {len(steps)} passed, 0 failed"
    assert len(steps) >= 10
    meanwhile = [step["meanwhile"] for step in steps if step["meanwhile"]]
    if name != "external-api":
        assert sum(each["requests"] for each in meanwhile) > 100
    assert sum(each["failed"] for each in meanwhile) == 0
    assert left(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_survives_a_demo_that_is_ended(tmp_path: Path, number: signal.Signals) -> None:
    running = demo(tmp_path, "--stay")
    assert running.stdout is not None
    for line in running.stdout:
        if re.match(r" *1 ", line):
            break
    running.send_signal(number)
    running.communicate(timeout=20)

    assert running.returncode != 0
    if number == signal.SIGKILL:
        shutil.rmtree(next(tmp_path.glob("serai-demo-*")))
    assert left(tmp_path) == []


def test_an_example_that_is_not_there(tmp_path: Path) -> None:
    running = demo(tmp_path, "nonsense")
    _, errors = running.communicate(timeout=20)

    assert running.returncode == 2
    assert "there is no example 'nonsense'; there are: external-api, hybrid-cloud" in errors


def test_a_step_that_is_not_as_expected_fails_the_demo(tmp_path: Path) -> None:
    done = played(
        tmp_path,
        "quickstart",
        """
title: what is expected here is not so
steps:
  - step: another status
    get: http://cart.shop:8000/
    expect: {status: 201, pod: nobody}
  - step: a problem that there is not
    problems: [everything is wrong]
""",
    )

    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[-1] == "demo: 0 passed, 2 failed"
    assert "expected  status 201 · pod nobody" in done.stdout
    assert re.search(r"got +status 200 · pod cart-[12]", done.stdout)


@pytest.mark.slow
def test_a_request_that_fails_beside_the_steps_fails_the_demo(tmp_path: Path) -> None:
    done = played(
        tmp_path,
        "legacy-vm",
        """
title: both machines are switched off without a word
load: {get: "http://billing.legacy.example:8000/", per_second: 100}
steps:
  - step: all is well
    get: http://billing.legacy.example:8000/
    times: 12
    expect: {status: 200}
  - step: it no longer is
    servers:
      - {at: "127.0.4.1:7001", becomes: gone}
      - {at: "127.0.4.2:7001", becomes: gone}
    get: http://billing.legacy.example:8000/
    times: 12
    foretold: false
    expect: {status: 503}
""",
    )

    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[-1] == "demo: 1 passed, 1 failed"
    assert re.search(r"meanwhile \d+ requests, [1-9]\d* failed: ", done.stdout)


def played(tmp: Path, name: str, script: str) -> subprocess.CompletedProcess[str]:
    """An example with other steps than its own."""
    example = examples()[name]
    (tmp / "steps.demo.yaml").write_text(script)
    program = f"""
import sys
from pathlib import Path
from serai.app.demo import files as demo_files
example = demo_files.Example({name!r}, Path({str(example.folder)!r}), Path(sys.argv[1]))
demo_files.examples = lambda: {{{name!r}: example}}
from serai.cli.main import app
app(["demo", {name!r}])
"""
    return subprocess.run(
        [sys.executable, "-c", program, str(tmp / "steps.demo.yaml")],
        env=os.environ | {"TMPDIR": str(tmp)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
