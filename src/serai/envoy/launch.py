"""Starting an Envoy: its command line, its log, and whether it outlives us."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from serai.envoy import logfile
from serai.envoy.loglines import LOG_FORMAT
from serai.envoy.pid import Pid, pid_of

if TYPE_CHECKING:
    from serai.envoy.binary import EnvoyBinary
    from serai.envoy.state import EnvoyFiles

Binding = Literal["none", "kernel", "watchdog"]
"""What ends Envoy when we are killed: nothing, so that it goes on serving and can be adopted; the
kernel (Linux), when the thread that started it ends; or a small process of ours."""

_HERE = Path(__file__).parent
_PYTHON = (sys.executable, "-I", "-S")


class GatewaySpec(msgspec.Struct, frozen=True, kw_only=True):
    """How one Gateway's Envoy is to be run.  One that runs otherwise is replaced."""

    bootstrap: bytes
    """As bootstrap.render gives it."""
    concurrency: int = 2
    """Worker threads."""
    drain_seconds: int = 15
    """How long requests have to finish when a listener is replaced, or Envoy is stopped."""
    log_level: str = "warning"


class Launched(msgspec.Struct):
    """A process we started."""

    pid: Pid
    child: subprocess.Popen[bytes]
    watchdog: subprocess.Popen[bytes] | None = None

    def exit_code(self) -> int:
        """How it ended; to be called once it has (the code of a signal is negative)."""
        if self.watchdog is not None and self.watchdog.stdin is not None:
            try:
                self.watchdog.stdin.write(b".")
                self.watchdog.stdin.close()
            except OSError:
                pass
            self.watchdog.wait()
        return self.child.wait()

    def let_go(self) -> None:
        """Have the process run on without us."""
        # subprocess would complain of a child that nobody waited for.
        self.child.returncode = 0


def binding(*, bind_life: bool) -> Binding:
    """The best way this system has."""
    if not bind_life:
        return "none"
    return "kernel" if sys.platform == "linux" else "watchdog"


def digest(binary: EnvoyBinary, spec: GatewaySpec, bound: Binding) -> str:
    """Equal for two Envoys if there is no reason to replace one by the other."""
    content = msgspec.json.encode((binary.path, binary.version, spec, bound))
    return hashlib.sha256(content).hexdigest()


def envoy_command(binary: EnvoyBinary, spec: GatewaySpec, files: EnvoyFiles) -> tuple[str, ...]:
    """Envoy's command line."""
    return (
        binary.path,
        "--config-path",
        str(files.bootstrap),
        "--admin-address-path",
        str(files.admin),
        # Without it Envoys of one machine meet in shared memory, by a number (--base-id).
        "--disable-hot-restart",
        "--concurrency",
        str(spec.concurrency),
        # The access log is looked at by people who have just sent a request.
        "--file-flush-interval-msec",
        "100",
        "--drain-time-s",
        str(spec.drain_seconds),
        "--log-level",
        spec.log_level,
        "--log-format",
        LOG_FORMAT,
        "--log-format-escaped",
    )


def launch(command: tuple[str, ...], log: Path, access_log: Path, bound: Binding) -> Launched:
    """Start Envoy in a session of its own.  OSError if that fails.

    What it says of itself is appended to `log`, what it says of requests to `access_log`.
    """
    logfile.rotate(log)
    logfile.rotate(access_log)
    if bound == "kernel":
        command = (*_PYTHON, str(_HERE / "become_envoy.py"), str(os.getpid()), *command)
    with log.open("ab") as errors, access_log.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
            cwd="/",
        )
    # A child that was not waited for keeps its number, so this is the right process.
    pid = pid_of(child.pid) or Pid(child.pid, "ended at once")
    watchdog = _watchdog(child.pid) if bound == "watchdog" else None
    return Launched(pid, child, watchdog)


def _watchdog(pid: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603
        (*_PYTHON, str(_HERE / "end_with_us.py"), str(pid)),
        stdin=subprocess.PIPE,
        start_new_session=True,
        cwd="/",
    )
