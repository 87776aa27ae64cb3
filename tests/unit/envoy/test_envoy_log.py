"""Of Envoy's log the lines that matter are told, once, and nothing else."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from serai.envoy import logfile
from serai.envoy.event import FleetEvent
from serai.envoy.loglines import (
    REPEAT_SECONDS,
    LogLine,
    Repetitions,
    TakenAddress,
    is_worth_telling,
    parse_line,
    taken_address,
)
from serai.envoy.logwatch import LogWatch


def line(text: str, level: str = "warning", pid: int = 7, source: str = "a/b.cc:1") -> str:
    return f"[2026-01-02 03:04:05.678][{pid}][9][{level}][config] [{source}] {text}"


def parsed(text: str, level: str = "warning", source: str = "a/b.cc:1") -> LogLine:
    found = parse_line(line(text, level, source=source))
    assert found is not None
    return found


def test_a_line_is_taken_apart() -> None:
    assert parse_line(line("some [odd] text", "error") + "\n") == LogLine(
        pid=7, level="error", component="config", source="a/b.cc:1", text="some [odd] text"
    )


def test_escapes_are_undone_and_broken_lines_joined() -> None:
    text = r"can\'t read \"x\": C:\\\\temp\n  gr\303\274n\t."
    assert parsed(text).text == 'can\'t read "x": C:\\\\temp grün .'


@pytest.mark.parametrize(
    "text",
    ["", "x", '[2026-01-02T03:04:05.678Z] "GET / HTTP/1.1" 200 - 0', "[a][b][c][d][e] [f] g"],
)
def test_what_is_no_line_of_the_log_is_none(text: str) -> None:
    assert parse_line(text) is None


@pytest.mark.parametrize(
    ("text", "level", "told"),
    [
        ("all is well", "info", False),
        ("could be better", "warning", True),
        ("it broke", "critical", True),
        ("caught ENVOY_SIGTERM", "warning", False),
        ("DeltaAggregatedResources gRPC config stream to serai_xds closed: 14", "warning", True),
        ("gRPC config for type.googleapis.com/envoy.x.Listener rejected: no", "warning", False),
        (
            "delta config for type.googleapis.com/envoy.config.cluster.v3.Cluster rejected: no",
            "warning",
            False,
        ),
    ],
)
def test_warnings_are_told_unless_told_elsewhere(text: str, level: str, told: bool) -> None:  # noqa: FBT001
    assert is_worth_telling(parsed(text, level)) is told


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("cannot bind '127.0.0.1:80': Address already in use", TakenAddress("127.0.0.1", 80)),
        ("x: cannot bind '[::1]:8080': Address already in use'", TakenAddress("::1", 8080)),
        ("cannot bind '127.0.0.1:80': Permission denied", None),
        ("cannot bind '/run/x.sock': Address already in use", None),
    ],
)
def test_the_taken_address_is_found(text: str, address: TakenAddress | None) -> None:
    assert taken_address(text) == address


def test_a_statement_is_told_once_a_minute_and_each_taken_port_by_itself() -> None:
    repetitions = Repetitions()
    taken = "cannot bind '127.0.0.1:{}': Address already in use"
    assert repetitions.is_new(parsed("one"), 0.0)
    assert not repetitions.is_new(parsed("two"), REPEAT_SECONDS - 1)
    assert repetitions.is_new(parsed("three"), REPEAT_SECONDS)
    assert repetitions.is_new(parsed("one", source="other.cc:2"), 0.0)
    assert repetitions.is_new(parsed(taken.format(1)), 0.0)
    assert repetitions.is_new(parsed(taken.format(2)), 0.0)
    assert not repetitions.is_new(parsed(taken.format(1), source="again.cc:3"), 0.0)


def test_the_tail_begins_at_the_end_and_waits_for_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("old\n")
    tail = logfile.Tail(path)
    assert tail.read() == []
    with path.open("a") as file:
        file.write("one\ntw")
    assert tail.read() == ["one"]
    with path.open("a") as file:
        file.write("o\n")
    assert tail.read() == ["two"]


def test_a_file_that_is_not_there_yet_is_read_from_its_beginning(tmp_path: Path) -> None:
    tail = logfile.Tail(tmp_path / "x.log")
    assert tail.read() == []
    (tmp_path / "x.log").write_text("first\n")
    assert tail.read() == ["first"]


def test_a_log_that_grows_too_large_is_emptied_under_its_writer(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    tail = logfile.Tail(path, limit=20)
    with path.open("ab", buffering=0) as writer:
        for number in range(10):
            writer.write(b"line %04d\n" % number)
            assert tail.read() == [f"line {number:04d}"]
    assert path.stat().st_size <= 30
    assert len(list(tmp_path.iterdir())) == 1 + logfile.KEPT


def test_rotation_moves_only_what_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    logfile.rotate(path)
    path.write_text("12345")
    logfile.rotate(path, limit=5)
    assert path.exists()
    logfile.rotate(path, limit=4)
    assert (tmp_path / "x.log.1").read_text() == "12345"


def append(path: Path, lines: tuple[str, ...]) -> None:
    with path.open("a") as file:
        file.writelines(f"{each}\n" for each in lines)


async def watched(path: Path, *lines: str) -> list[FleetEvent]:
    events: list[FleetEvent] = []
    watch = LogWatch(
        "infra/edge", path, path.with_suffix(".access.log"), Repetitions(), events.append
    )
    append(path, lines)
    following = asyncio.create_task(watch.follow(7))
    await asyncio.sleep(0)
    for _ in range(200):
        if events:
            break
        await asyncio.sleep(0.01)
    following.cancel()
    return events


async def test_only_the_lines_of_the_own_process_are_told(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    (event,) = await watched(path, line("not mine", pid=8), "raw", line("mine", "error"))
    assert (event.kind, event.message, event.pid) == ("log", "mine", 7)
    assert event.details == {"level": "error", "component": "config", "source": "a/b.cc:1"}


async def test_a_taken_port_is_told_with_who_has_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        text = f"cannot bind '127.0.0.1:{port}': Address already in use"
        (event,) = await watched(tmp_path / "x.log", line(text, "error"))
    assert event.kind == "port-taken"
    assert f"Port 127.0.0.1:{port} is taken by" in event.message
    assert f"(pid {os.getpid()} of " in event.message
    assert f"kill {os.getpid()}" in event.remedy
    assert event.details["held_by_pid"] == os.getpid()


def test_an_access_log_over_the_limit_is_emptied_and_what_it_had_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    with path.open("ab") as envoy:
        envoy.write(b"x" * 100)
        envoy.flush()
        logfile.trim(path, limit=99)
        envoy.write(b"next\n")
    assert path.read_bytes() == b"next\n"
    assert (tmp_path / "access.log.1").read_bytes() == b"x" * 100
