"""What is printed: data to standard output, talk to standard error."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, NoReturn

import typer

from serai.web.errors import RefusedError, UnreachableError


class Exit:
    """Exit codes, beside 0."""

    FAILED = 1
    """What was asked for was done, and the answer is no: an object was rejected, or not found."""
    USAGE = 2
    UNREACHABLE = 3
    """No instance is running where it was looked for."""


class Format(StrEnum):
    """Forms of structured output."""

    JSON = "json"
    YAML = "yaml"


def data(text: str) -> None:
    """Print what was asked for."""
    with writing():
        typer.echo(text)


@contextmanager
def writing() -> Iterator[None]:
    """End with FAILED, and say why, where standard output takes no more: a disk that is full."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        if error.errno == errno.EPIPE:  # whoever read has seen enough, which typer deals with
            raise
        # What is left of it would be written once more at the end, and fail with a code of its own.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        talk(f"error: standard output cannot be written: {error.strerror}")
        raise typer.Exit(Exit.FAILED) from None


def talk(text: str) -> None:
    """Say something about it."""
    typer.echo(text, err=True)


def structured(value: Any, form: str) -> None:
    """Print plain values as JSON or YAML."""
    data(_yaml(value) if form == Format.YAML else json.dumps(value, indent=2, ensure_ascii=False))


def usage(message: str) -> NoReturn:
    """End because the command was not used as it can be."""
    talk(f"error: {message}")
    raise typer.Exit(Exit.USAGE)


@contextmanager
def unreachable() -> Iterator[None]:
    """End with UNREACHABLE, and say what to do, where no instance answers; 1 where one refuses."""
    try:
        yield
    except UnreachableError as error:
        talk(f"error: {error}")
        raise typer.Exit(Exit.UNREACHABLE) from None
    except RefusedError as error:
        talk(f"error: {error}")
        raise typer.Exit(Exit.FAILED) from None


def _yaml(value: Any) -> str:
    import yaml  # noqa: PLC0415  only where it is asked for

    class Plain(yaml.CSafeDumper):
        """Writes a value that occurs twice, twice."""

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  PyYAML's signature
            return True

    text: str = yaml.dump(value, Dumper=Plain, sort_keys=False, allow_unicode=True, width=1000)
    return text.rstrip("\n")
