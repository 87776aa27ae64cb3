"""Network namespaces with a wire between them, and processes in them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from secrets import token_hex

SECONDS = 60.0
"""For anything that is waited for; a ztunnel takes its time on a busy machine."""


class Namespace:
    """One of two, by name, with its address on the wire."""

    def __init__(self, name: str, address: str, logs: Path) -> None:
        self.name = name
        self.address = address
        self._logs = logs

    def command(self, *command: str) -> list[str]:
        """A command that runs inside."""
        return ["ip", "netns", "exec", self.name, *command]

    @contextlib.contextmanager
    def running(
        self, title: str, *command: str, environment: Mapping[str, str] | None = None
    ) -> Iterator[Path]:
        """A process inside, until the block ends; where its output is."""
        log = self._logs / f"{title}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                self.command(*command),
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
            )
            try:
                yield log
            finally:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def output(self, *command: str) -> str:
        """What a process inside says, once it has ended well."""
        found = subprocess.run(
            self.command(*command), capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert found.returncode == 0, f"{command}: {found.stdout}{found.stderr}"
        return found.stdout


def cannot() -> str:
    """Why there can be none here; empty if there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "network namespaces need iproute2"
    return "" if _made("ip", "netns", "list") else "this kernel makes no network namespaces"


@contextlib.contextmanager
def wired(logs: Path) -> Iterator[tuple[Namespace, Namespace]]:
    """Two namespaces, 10.77.0.1 and 10.77.0.2, that reach each other and nothing else."""
    tag = token_hex(3)
    pair = tuple(
        Namespace(f"serai-{tag}-{side}", f"10.77.0.{number}", logs)
        for number, side in ((1, "a"), (2, "b"))
    )
    try:
        for each in pair:
            _must("ip", "netns", "add", each.name)
        ends = [f"v{tag}{side}" for side in "ab"]
        _must("ip", "link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for each, end in zip(pair, ends, strict=True):
            _must("ip", "link", "set", end, "netns", each.name)
            each.output("ip", "address", "add", f"{each.address}/24", "dev", end)
            for link in ("lo", end):
                each.output("ip", "link", "set", link, "up")
        yield pair[0], pair[1]
    finally:
        for each in pair:
            _made("ip", "netns", "delete", each.name)


def _made(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _must(*command: Sequence[str] | str) -> None:
    subprocess.run([str(each) for each in command], check=True, capture_output=True)
