"""Transcripts: commands and exactly what they print, as a person would see it.

A line that begins with ``$`` is a command; then follow what it prints to standard output, what
it prints to standard error (each line after ``2> ``), and its exit code where it isn't 0.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from typer.testing import CliRunner

from serai.cli.main import app

WORLDS = Path(__file__).parent / "worlds"


def replay(transcript: str) -> str:
    """The transcript that the commands of another one give now, run in the folder of worlds."""
    return "\n".join(_block(line) for line in transcript.splitlines() if line.startswith("$ "))


def _block(line: str) -> str:
    program, *arguments = shlex.split(line.removeprefix("$ "))
    assert program == "serai"
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "100"}, prog_name="serai")
    said = [f"2> {each}".rstrip() for each in done.stderr.splitlines()]
    code = [f"[exit {done.exit_code}]"] if done.exit_code else []
    return "\n".join([line, *done.stdout.splitlines(), *said, *code, ""])
