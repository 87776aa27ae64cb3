"""Becomes another program, after asking the kernel to end it together with its parent (Linux).

Run as a script: `python -I -S become_envoy.py PARENT_PID PROGRAM ARGUMENT...`.  It is a program of
its own because code run between fork and exec may deadlock in a process that has threads, and ours
has gRPC's.  The process keeps its number.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Never returns, if the command can be run."""
    if ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit("prctl(PR_SET_PDEATHSIG) failed")
    # The parent may have died before it was watched.
    if os.getppid() != parent:
        sys.exit("the parent is gone")
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
