"""The entry point: the table of commands, each loaded when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

COMMANDS = {
    "demo": "Play an example: real Envoys, servers in place of the workloads, each step checked.",
    "run": "Serve a folder of manifests on this machine, with an Envoy for each Gateway.",
    "controller": "Serve the Gateways of a Kubernetes cluster.",
    "ratelimit": "Count requests for Envoys that share a limit.",
    "echo": "Stand in for the workloads of some manifests, so that requests are answered.",
    "request": "Send a request as a client of the mesh would, and say who answered.",
    "get": "List services, gateways, routes, backends, endpoints, policies, clusters or problems.",
    "explain": "Say why something is captured or not, and where its traffic goes.",
    "trace": "Follow one request through the configuration, step by step, without sending it.",
    "validate": "List every problem of some manifests, with its place and remedy.",
    "translate": "Turn manifests into Envoy's configuration and statuses.",
    "stop": "End the Envoys left by instances that died.",
    "version": "Print the versions of Serai and of what it stands on.",
}
"""Each command is a function of its own name in a module of its own name, and a line here: the
first sentence of its docstring.  In the order in which a person comes to need them."""

_PLAIN: dict[str, Any] = {
    "add_completion": False,
    "context_settings": {"help_option_names": ["-h", "--help"], "max_content_width": 100},
    "pretty_exceptions_enable": False,
    "rich_markup_mode": None,
}
"""Help without rich's boxes: they cost more than the rest of the start."""


class _Later(TyperCommand):
    """A command that is known by name and help until it is used."""

    def make_context(self, *args: Any, **more: Any) -> Any:
        """Load the command and let it read its arguments."""
        return _load(str(self.name)).make_context(*args, **more)


class _Table(TyperGroup):
    """The commands of the table."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, said in COMMANDS.items():
            self.add_command(_Later(name=name, help=said, short_help=said))


app = typer.Typer(cls=_Table, no_args_is_help=True, **_PLAIN)


@app.callback()
def _serai() -> None:
    """A Gateway API control plane in which ServiceEntries and Services are alike."""


def _load(name: str) -> Any:
    alone = typer.Typer(**_PLAIN)
    alone.command(name)(getattr(import_module(f"serai.cli.{name}"), name))
    return typer.main.get_command(alone)
