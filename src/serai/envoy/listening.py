"""Who listens on a port."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import PurePath

import msgspec
import psutil

from serai.api.problem import Problem
from serai.model.addresses import with_port

PORT_IN_USE = "SER0904"
"""The code of that problem."""

COMMAND_LENGTH = 120
"""Characters of a command line that are shown."""

_BEFORE_ARGUMENTS = 3
"""``python -m serai``, or the interpreter and its script."""


class ListeningProcess(msgspec.Struct, frozen=True):
    """A socket that listens, and its process as far as we may see it."""

    address: str
    port: int
    pid: int | None = None
    """None where it belongs to another user, or to another PID namespace."""
    command: str = ""
    user: str = ""
    keeper: int | None = None
    """The `serai` that it is a child of, and that would start it again."""

    def __str__(self) -> str:
        if self.pid is None:
            return "a process that this user may not see"
        by = f" of {self.user}" if self.user else ""
        return f"{self.command or 'a process'} (pid {self.pid}{by})"


def who_listens(address: str, port: int, *, udp: bool = False) -> ListeningProcess | None:
    """The process with a TCP socket that keeps others from `address`:`port`; None if none seems to.

    With `udp` a UDP socket.  A wildcard socket holds the port on every address of its family, and
    :: on both families.  Reads the whole socket table, some milliseconds: call it in a
    thread.
    """
    try:
        sockets = psutil.net_connections(kind="udp" if udp else "tcp")
    except (psutil.Error, OSError):
        return None
    held = [
        found
        for found in sockets
        if found.status == (psutil.CONN_NONE if udp else psutil.CONN_LISTEN)
        and found.laddr
        and found.laddr.port == port
        and overlap(found.laddr.ip, address)
    ]
    # One whose process we know says more than one whose process we don't.
    held.sort(key=lambda found: found.pid is None)
    if not held or not held[0].laddr:
        return None
    return _described(held[0].laddr.ip, port, held[0].pid)


def port_in_use(
    address: str,
    port: int,
    holder: ListeningProcess | None,
    wanted_by: str,
    *,
    udp: bool = False,
) -> Problem:
    """What to tell when `wanted_by`, such as ``Gateway infra/edge``, can't have a port."""
    by = f" by {holder}" if holder else ""
    message = f"Port {with_port(address, port)} is taken{by}; {wanted_by} can't listen there."
    if holder is None or holder.pid is None:
        find = f"sudo ss -l{'u' if udp else 't'}np 'sport = :{port}'"
        remedy = f"Find it with `{find}` and stop it, or use another port."
    elif holder.keeper is not None:
        other = f"Another `serai` (pid {holder.keeper}) would start it again"
        remedy = f"{other}: end that one (`kill {holder.keeper}`), or use another port."
    else:
        remedy = f"Stop it (`kill {holder.pid}`), or use another port."
    return Problem(PORT_IN_USE, "error", message, remedy)


def overlap(held: str, wanted: str) -> bool:
    """Whether a socket on one address keeps others from a port on the other."""
    try:
        one, other = ip_address(held.partition("%")[0]), ip_address(wanted.partition("%")[0])
    except ValueError:
        return False
    if one == other:
        return True
    if one.version == other.version:
        return one.is_unspecified or other.is_unspecified
    # An IPv6 wildcard socket takes IPv4 as well, unless it was told not to, which can't be seen.
    six = one if one.version == 6 else other  # noqa: PLR2004
    return six.is_unspecified


def _described(address: str, port: int, pid: int | None) -> ListeningProcess:
    if pid is None:
        return ListeningProcess(address, port)
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            command = " ".join(process.cmdline()) or process.name()
            user = process.username()
            keeper = _keeper(process)
    except (psutil.Error, OSError):
        return ListeningProcess(address, port, pid)
    if len(command) > COMMAND_LENGTH:
        command = command[: COMMAND_LENGTH - 1] + "…"
    return ListeningProcess(address, port, pid, command, user, keeper)


def _keeper(process: psutil.Process) -> int | None:
    parent = process.parent()
    if parent is None or not any(_names_us(word) for word in parent.cmdline()[:_BEFORE_ARGUMENTS]):
        return None
    return parent.pid


def _names_us(word: str) -> bool:
    return PurePath(word).name == "serai"
