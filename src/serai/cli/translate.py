"""``serai translate``: what Envoys would get, and what would be said back."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from serai.api.meta import Key
from serai.app.offline import Offline, load
from serai.cli.options import Paths, with_settings
from serai.cli.output import Exit, structured, talk, usage
from serai.model.settings import Settings
from serai.views.config_dump import config_dump
from serai.views.configuration import PARTS, SECTIONS, configuration
from serai.views.problems import has_errors, summary


class Form(StrEnum):
    """Forms of output."""

    JSON = "json"
    YAML = "yaml"
    CONFIG_DUMP = "config-dump"


@with_settings
def translate(
    paths: Paths,
    *,
    settings: Settings,
    output: Annotated[Form, typer.Option("--output", "-o", help="The form of output.")] = Form.JSON,
    gateway: Annotated[
        str, typer.Option(metavar="NS/NAME", help="Only the configuration of this Gateway.")
    ] = "",
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEYS",
            help=f"Only some keys, with commas between: {', '.join((*PARTS, *SECTIONS))}.",
        ),
    ] = None,
) -> None:
    """Turn manifests into Envoy's configuration and statuses.

    Needs no network and starts nothing.  With -o config-dump the output is what an Envoy of the
    Gateway would answer to /config_dump?include_eds.

    Ends with 1 if anything was rejected; the rest is printed all the same.
    """
    found = load(paths, settings)
    keys = _gateways(found, gateway)
    if output is Form.CONFIG_DUMP:
        structured(config_dump(found.pipeline, _one(keys)), "json")
    else:
        whole = configuration(found.pipeline, found.problems, gateways=keys, only=_keys(only or []))
        structured(whole, output)
    if found.problems:
        talk(f"{summary(found.problems)}; `serai validate` shows them")
    if has_errors(found.problems):
        raise typer.Exit(Exit.FAILED)


def _gateways(found: Offline, asked: str) -> list[Key]:
    known = sorted(found.pipeline.attached.proxies.keys())
    if not asked:
        return known
    chosen = [key for key in known if key.namespaced_name == asked]
    if not chosen:
        names = ", ".join(key.namespaced_name for key in known) or "none"
        usage(f"there is no Gateway {asked} of a class of ours; there are: {names}")
    return chosen


def _one(keys: list[Key]) -> Key:
    if len(keys) != 1:
        names = ", ".join(key.namespaced_name for key in keys) or "none"
        usage(f"a config dump is of one Gateway: choose with --gateway; there are: {names}")
    return keys[0]


def _keys(asked: list[str]) -> list[str]:
    keys = [key.strip() for each in asked for key in each.split(",") if key.strip()]
    known = (*PARTS, *SECTIONS)
    for key in keys:
        if key not in known:
            usage(f"--only: there is no key {key}; there are: {', '.join(known)}")
    return keys
