from __future__ import annotations

import socket
import tomllib
from pathlib import Path

import pytest

from serai.api.problem import Problem
from serai.app.core import Core
from serai.app.demo.authority import Authority
from serai.app.demo.files import Copy, copied, examples
from serai.app.demo.stand_ins import stand_ins
from serai.app.demo.steps import Script, Trust, read_script
from serai.app.offline import load
from serai.model.settings import Settings
from serai.sources.folder import FolderSource

ROOT = Path(__file__).parents[3]
EXAMPLES = examples()


def world(copy: Copy) -> Core:
    found = Core(copy.settings)
    found.apply(FolderSource([copy.folder]).scan().changed.values())
    return found


def test_the_examples_are_those_of_the_checkout_and_go_into_the_wheel() -> None:
    assert {each.folder.parent for each in EXAMPLES.values()} == {ROOT / "examples"}
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"]["examples"] == "serai/examples"


def test_every_example_is_listed_in_the_readme() -> None:
    listed = (ROOT / "examples/README.md").read_text()
    folders = [path.name for path in (ROOT / "examples").iterdir() if path.is_dir()]
    assert [name for name in folders if f"[{name}]({name})" not in listed] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_steps_of_an_example_fit_its_files(name: str, tmp_path: Path) -> None:
    """Every edit can be made, in the order of the steps."""
    with copied(EXAMPLES[name], tmp_path) as copy:
        assert isinstance(copy, Copy)
        script = read_script(copy.script, EXAMPLES[name].steps)
        assert isinstance(script, Script)
        for step in script.steps:
            for edit in step.change:
                path = copy.folder / edit.file
                path.write_text(edit.apply(path.read_text()))


def test_the_quickstart_has_one_mistake_and_that_is_on_purpose() -> None:
    found = load([EXAMPLES["quickstart"].folder], Settings())
    told = [(problem.place and Path(problem.place.file).name) for problem in found.problems]
    assert told == ["broken.yaml"]


def test_echo_servers_stand_for_every_endpoint_on_loopback(tmp_path: Path) -> None:
    with copied(EXAMPLES["quickstart"], tmp_path) as copy:
        assert isinstance(copy, Copy)
        listed = [each.endpoint for each in stand_ins(world(copy).pipeline)]
    named = {each.identity.pod: each for each in listed}
    assert {"cart-1", "cart-2", "next-1", "next-2", "weather", "legacy", "partner-api"} == {*named}
    assert named["cart-1"].port == 3000 and named["next-2"].port == 9445
    assert named["weather"].address == "127.0.0.1"


def test_only_the_quickstart_is_wrong_in_any_way() -> None:
    """Beside warnings, and certificates that a demo makes itself."""
    for name, example in EXAMPLES.items():
        settings = Settings(allow_resolved=("127.0.0.0/8",), vip_range_v4="240.240.0.0/16")
        told = {each.code for each in load([example.folder], settings).problems}
        assert told <= {"quickstart": {"SER0005"}}.get(name, {"SER0403", "SER1102"}), name


def test_servers_speak_tls_where_what_is_sent_to_them_does(tmp_path: Path) -> None:
    with copied(EXAMPLES["hybrid-cloud"], tmp_path) as copy:
        assert isinstance(copy, Copy)
        trust = Trust(kind="ConfigMap", namespace="cloud", name="cloud-ca", file="ca.yaml")
        text = Authority("us", tmp_path / "certificates").manifest(trust)
        (copy.folder / trust.file).write_text(text)
        pipeline = world(copy).pipeline
        over_tls = {each.endpoint.mode: each for each in stand_ins(pipeline, tls=True)}
        plain = {each.endpoint.mode for each in stand_ins(pipeline)}
    assert {*over_tls} == {"http", "https", "tls"}
    assert over_tls["tls"].shows == over_tls["https"].shows == ("orders-db.cloud.example",)
    assert plain == {"http", "tcp"}


def test_an_example_is_served_with_the_options_it_asks_for(tmp_path: Path) -> None:
    with copied(EXAMPLES["external-api"], tmp_path) as copy:
        assert isinstance(copy, Copy)
        assert len(copy.settings.allow_resolved) == 2
        assert copy.settings.vip_range_v4 == "240.240.0.0/16"
    with copied(EXAMPLES["hybrid-cloud"], tmp_path) as copy:
        assert isinstance(copy, Copy)
        assert copy.settings.locality == "eu/eu-1"


def test_a_port_that_is_taken_moves_the_copy_and_is_told(tmp_path: Path) -> None:
    example = EXAMPLES["quickstart"]
    with copied(example, tmp_path / "first") as first:
        assert isinstance(first, Copy)
        net = int(first.settings.bind.split(".")[1])
    held = socket.create_server((first.settings.bind, 8080))
    with held, copied(example, tmp_path / "second") as second:
        assert isinstance(second, Copy)
    assert second.settings.bind != first.settings.bind
    assert second.taken
    assert any(f"{first.settings.bind}:8080 is taken by" in each for each in second.taken) or net
    moved = int(second.settings.bind.split(".")[1])
    listeners = [row for _, row in world(second).pipeline.translated.listeners.items()]
    assert {address.split(".")[1] for row in listeners for address in row.addresses} == {
        str(moved),
        str(66 + moved),
        str(70 + moved),
    }
    assert f"127.{moved}.1.1:3000" in second.script
    assert "240.240.0.10" in (second.folder / "partner.yaml").read_text()


def test_two_demos_never_share_addresses(tmp_path: Path) -> None:
    example = EXAMPLES["quickstart"]
    with (
        copied(example, tmp_path / "first") as first,
        copied(example, tmp_path / "second") as second,
    ):
        assert not isinstance(first, Problem) and not isinstance(second, Problem)
        assert first.settings.bind != second.settings.bind
