"""Ends a process when the one that holds the other end of its standard input is gone.

Run as a script: `python -I -S end_with_us.py PID`, with a pipe as standard input.  One byte in the
pipe dismisses it.  For systems whose kernel doesn't do this (see become_envoy).
"""

import os
import signal
import sys


def main(pid: int) -> None:
    """Return when dismissed, or when the process was ended."""
    if not os.read(0, 1):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return


if __name__ == "__main__":
    main(int(sys.argv[1]))
