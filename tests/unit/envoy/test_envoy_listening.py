"""Who listens on a port is told by name."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from serai.envoy.listening import ListeningProcess, port_in_use, who_listens


@pytest.mark.parametrize(
    ("held", "asked", "found"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("127.0.0.2", "127.0.0.1", False),
    ],
)
def test_a_port_is_held_on_its_address_and_by_wildcards(
    held: str,
    asked: str,
    found: bool,  # noqa: FBT001
) -> None:
    with socket.create_server((held, 0)) as server:
        port = server.getsockname()[1]
        holder = who_listens(asked, port)
    assert (holder is not None) is found
    if holder is not None:
        assert holder.pid == os.getpid()
        assert "python" in holder.command
    assert who_listens(asked, port) is None


def test_an_ipv6_wildcard_holds_the_port_for_ipv4() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this system has no dual-stack sockets")
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        assert who_listens("127.0.0.1", server.getsockname()[1]) is not None


def test_a_connection_is_no_listener() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        with client:
            assert who_listens("127.0.0.1", client.getsockname()[1]) is None


def test_the_problem_names_who_and_what_to_do() -> None:
    holder = ListeningProcess("0.0.0.0", 80, 12, "nginx -g", "www")
    problem = port_in_use("127.0.0.1", 80, holder, "Gateway infra/edge")
    assert problem.message == (
        "Port 127.0.0.1:80 is taken by nginx -g (pid 12 of www);"
        " Gateway infra/edge can't listen there."
    )
    assert problem.remedy == "Stop it (`kill 12`), or use another port."


def test_of_an_envoy_that_would_be_started_again_the_one_to_end_is_named(tmp_path: Path) -> None:
    listener = "import socket; s = socket.create_server(('127.0.0.1', 0));"
    listener += " print(s.getsockname()[1], flush=True); input()"
    script = tmp_path / "serai"
    script.write_text(
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {listener!r}])"
    )
    command = [sys.executable, str(script), "run"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        port = int(other.stdout.readline())
        holder = who_listens("127.0.0.1", port)
        other.communicate(b"\n")
    assert holder is not None and holder.pid != other.pid
    remedy = port_in_use("127.0.0.1", port, holder, "Gateway infra/edge").remedy
    assert f"end that one (`kill {other.pid}`)" in remedy


@pytest.mark.parametrize("holder", [None, ListeningProcess("::", 80)])
def test_an_unknown_holder_comes_with_how_to_find_it(holder: ListeningProcess | None) -> None:
    problem = port_in_use("::1", 80, holder, "Gateway infra/edge")
    assert "[::1]:80" in problem.message
    assert "sudo ss -ltnp 'sport = :80'" in problem.remedy
