"""The examples, and a copy of one to play with, moved to addresses that are free."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from serai.api.problem import Problem
from serai.app.core import Core
from serai.app.demo.stand_ins import servers, stand_ins
from serai.app.demo.steps import Run, read_script
from serai.envoy.listening import who_listens
from serai.model.settings import Settings
from serai.sources.folder import FolderSource

Socket = tuple[str, int]

_LOOPBACK = re.compile(r"\b127\.(\d{1,3})(?=\.\d{1,3}\.\d{1,3}\b)")
_MOVES = (0, 90, 100, 110, 120, 130, 140, 150, 160, 170, 180)
"""What may be added to the second number of addresses in 127.0.0.0/8."""
_VIPS = 70
"""Which 127.x.0.0/16 a moved copy allocates from, before it is moved; no example names it."""
_TOKEN_PORT = 15999
_SUFFIX = ".demo.yaml"
_HERE = Path(__file__).resolve()


class Example(msgspec.Struct, frozen=True):
    """A folder of manifests and, beside it, the steps of its demo."""

    name: str
    folder: Path
    steps: Path


class Copy(msgspec.Struct, frozen=True):
    """An example that may be changed."""

    folder: Path
    script: str
    """The steps, with addresses as in the copy."""
    settings: Settings
    taken: tuple[str, ...] = ()
    """Which of the example's own ports are taken, and by whom, so that others are used."""


def examples() -> dict[str, Example]:
    """All examples that have a demo, by name: of the checkout, else those installed with Serai."""
    checkout, installed = _HERE.parents[4] / "examples", _HERE.parents[2] / "examples"
    root = checkout if (checkout.parent / "pyproject.toml").exists() else installed
    found = (
        Example(name, root / name, steps)
        for steps in sorted(root.glob(f"*{_SUFFIX}"))
        if (name := steps.name.removesuffix(_SUFFIX))
    )
    return {each.name: each for each in found if each.folder.is_dir()}


@contextlib.contextmanager
def copied(example: Example, root: Path) -> Iterator[Copy | Problem]:
    """A copy below `root`, on the example's own addresses if they are free, else on others.

    While it lasts no other demo uses the same addresses.
    """
    taken: tuple[str, ...] = ()
    for move in _MOVES:
        with _token(move) as is_ours:
            if not is_ours:
                taken = taken or ("another demo runs there",)
                continue
            copy = _copy(example, root / example.name, move)
            held = _held(copy)
            if not held:
                yield msgspec.structs.replace(copy, taken=taken)
                return
            taken = taken or held
    yield Problem(
        "SER0812",
        "error",
        f"The demo finds no free addresses in 127.0.0.0/8; to begin with, {', '.join(taken[:3])}.",
        "End what runs there, and start the demo again.",
    )


def _copy(example: Example, folder: Path, move: int) -> Copy:
    """What a name stands for cannot be moved, so that in a moved copy it gets another port."""
    texts = {
        folder / path.relative_to(example.folder): _moved(path.read_text(encoding="utf-8"), move)
        for path in sorted(example.folder.rglob("*"))
        if path.is_file()
    }
    _write(texts)
    script = _moved(example.steps.read_text(encoding="utf-8"), move)
    copy = Copy(folder=folder, script=script, settings=_settings(script, move))
    if move:
        fixed = (port for address, port in _sockets(copy) if address.startswith("127.0."))
        ports = {str(port): _free_port() for port in fixed}
        _write({path: _with_ports(text, ports) for path, text in texts.items()})
        copy = msgspec.structs.replace(copy, script=_with_ports(copy.script, ports))
    return copy


def _settings(script: str, move: int) -> Settings:
    found = read_script(script, Path())
    run = Run() if isinstance(found, Problem) else found.run
    return Settings(
        bind=f"127.{move}.0.1",
        proxy_bind=(f"127.{move}.0.1",),
        vip_range_v4=run.vip_range_v4 or (f"127.{_VIPS + move}.0.0/16" if move else ""),
        locality=run.locality,
        network=run.network,
        allow_resolved=run.allow_resolved,
    )


def _held(copy: Copy) -> tuple[str, ...]:
    held = (each for each in sorted(_sockets(copy)) if not _is_free(*each))
    return tuple(
        f"{address}:{port} is taken by {who_listens(address, port) or 'somebody'}"
        for address, port in held
    )


def _sockets(copy: Copy) -> set[Socket]:
    """Where Envoys and echo servers are going to listen."""
    world = Core(copy.settings)
    world.apply(FolderSource([copy.folder]).scan().changed.values())
    listeners = (row for _, row in world.pipeline.translated.listeners.items())
    wanted = {(address, row.port) for row in listeners for address in row.addresses}
    found = read_script(copy.script, copy.folder)
    listed = () if isinstance(found, Problem) else servers(found.servers)
    return wanted | {each.socket for each in (*stand_ins(world.pipeline), *listed)}


def _write(texts: Mapping[Path, str]) -> None:
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _moved(text: str, move: int) -> str:
    return _LOOPBACK.sub(lambda found: f"127.{int(found[1]) + move}", text)


def _with_ports(text: str, ports: Mapping[str, int]) -> str:
    if not ports:
        return text
    return re.sub(rf"\b({'|'.join(ports)})\b", lambda found: str(ports[found[1]]), text)


@contextlib.contextmanager
def _token(move: int) -> Iterator[bool]:
    """Whether we are the only demo that has moved so far; a bound socket is the token."""
    with socket.socket() as token:
        try:
            token.bind((f"127.{move}.255.254", _TOKEN_PORT))
        except OSError:
            yield False
        else:
            yield True


def _is_free(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
