"""What a demo does, step by step, as written beside its example."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
import yaml

from serai.api.problem import Place, Problem
from serai.echo import Mode

Fact = str | int | tuple[str, ...]


class Edit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A change to one file of the example."""

    file: str
    replace: str = ""
    """A text that occurs once."""
    by: str = ""
    remove: str = ""
    """Removes the one document that has this text in it."""
    add: str = ""
    """A document to put at the end."""

    def apply(self, text: str) -> str:
        """The file's new text.  ValueError if the text to change is not there once."""
        if self.add:
            return f"{text.rstrip()}\n---\n{self.add}"
        if self.remove:
            documents = text.split("\n---\n")
            left = [each for each in documents if self.remove not in each]
            if len(documents) - len(left) != 1:
                raise ValueError(f"{self.file}: not exactly one document has {self.remove!r}")
            return "\n---\n".join(left).rstrip("\n") + "\n"
        if text.count(self.replace) != 1:
            raise ValueError(f"{self.file}: {self.replace!r} does not occur exactly once")
        return text.replace(self.replace, self.by)


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A server in place of a workload, as it is from now on."""

    at: str
    """``address:port``; ``localhost`` is where names under it lead."""
    becomes: Literal["well", "failing", "useless", "gone"] = "well"
    """Failing, it answers health checks (``/healthz``) with 503 and all else as ever; useless, the
    other way round."""
    name: str = ""
    """What it says of itself; that and the rest is as before where it is not said."""
    speaks: Mode | None = None
    shows: tuple[str, ...] = ()
    """The host names in its certificate."""
    trusted: bool = True
    """Whether that is by the authority that clients know."""


class Load(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Requests that go on during all steps, none of which may fail."""

    get: str
    as_: str = msgspec.field(name="as", default="")
    via: str = ""
    per_second: int = 50


class Trust(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A certificate authority for the servers, and the object that has its certificate."""

    kind: Literal["ConfigMap", "Secret"] = "ConfigMap"
    namespace: str
    name: str
    file: str
    """Where the object is written, beside the manifests."""


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """With which options of `serai run` the example is served."""

    locality: str = ""
    network: str = ""
    allow_resolved: tuple[str, ...] = ()
    vip_range_v4: str = ""


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Something that is done, and what must come of it."""

    step: str
    """What it shows."""
    servers: tuple[Server, ...] = ()
    """What happens to servers; first of all."""
    change: tuple[Edit, ...] = ()
    """Done next; then the rest is tried until it is as expected."""
    get: str = ""
    """A URL to ask for: ``http://``, ``https://`` (any certificate is taken), or ``tcp://``, to
    which a line is sent."""
    as_: str = msgspec.field(name="as", default="")
    """The identity to ask with."""
    via: str = ""
    """As `serai request --via`."""
    headers: dict[str, str] = {}
    """In place of the usual ones of the same name."""
    times: int = 1
    foretold: bool = True
    """Whether the simulator must have said what happens; it knows nothing of what Envoy finds out,
    such as by health checks."""
    endpoints: str = ""
    """A service by its host, whose endpoints are looked at, as `serai get endpoints` shows them."""
    problems: tuple[str, ...] | None = None
    """Every problem that `serai run` tells: parts of its line in their order, `...` between."""
    expect: dict[str, Fact] = {}
    """What must be found, by name (demo_facts); what is not named may be anything."""
    measured: bool = True
    """Whether the change leads to other endpoints, so that the time it takes can be measured."""

    @property
    def takes_time(self) -> bool:
        """Whether what is expected may come true only after a while."""
        return bool(self.change or self.servers or self.endpoints)

    @property
    def arrives(self) -> bool:
        """Whether there is an arrival to measure."""
        return bool(self.change and self.measured and "answered by" in self.expect)


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A demo."""

    title: str
    steps: tuple[Step, ...]
    run: Run = Run()
    trust: Trust | None = None
    """Without it nothing here speaks TLS."""
    servers: tuple[Server, ...] = ()
    """Those that no manifest names: what names under a wildcard lead to."""
    load: Load | None = None


def read_script(text: str, file: Path) -> Script | Problem:
    """A demo from its YAML."""
    try:
        return msgspec.convert(yaml.safe_load(text), Script)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        return Problem(
            "SER0811", "error", f"The steps can't be read: {error}.", place=Place(str(file))
        )
