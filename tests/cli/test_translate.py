"""`translate` gives the same bytes for the same objects, and Envoy's own shapes."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.json_format import ParseDict
from typer.testing import CliRunner

from cli.transcripts import WORLDS
from serai.cli.main import app
from serai.proto.envoy import Cluster, FilterChain, Listener, RouteConfiguration
from serai.proto.pool import POOL
from serai.views.configuration import SECTIONS


def translate(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["translate", *arguments])
    assert done.exit_code == code, done.output
    return done.stdout


def test_order_and_files_change_nothing(tmp_path: Path) -> None:
    documents = [
        document
        for path in (WORLDS / "shop").iterdir()
        for document in yaml.safe_load_all(path.read_text())
    ]
    expected = translate(str(WORLDS / "shop"))
    for seed in range(3):
        folder = tmp_path / str(seed)
        folder.mkdir()
        random.Random(seed).shuffle(documents)
        for index in range(0, len(documents), seed + 1):
            text = yaml.safe_dump_all(documents[index : index + seed + 1])
            (folder / f"{index}.yaml").write_text(text)

        assert translate(str(folder)) == expected


def test_every_gateway_has_every_key() -> None:
    whole = json.loads(translate(str(WORLDS / "shop")))

    assert list(whole) == ["gateways", "status", "problems"]
    assert list(whole["gateways"]) == ["infra/edge", "infra/waypoint"]
    assert all(list(each) == list(SECTIONS) for each in whole["gateways"].values())


def test_yaml_says_what_json_says() -> None:
    as_json = json.loads(translate(str(WORLDS / "shop")))
    as_yaml = yaml.safe_load(translate(str(WORLDS / "shop"), "-o", "yaml"))

    assert as_yaml == as_json


def test_a_config_dump_is_what_envoy_would_show() -> None:
    folder = str(WORLDS / "shop")
    waypoint = json.loads(translate(folder))["gateways"]["infra/waypoint"]

    dump = json.loads(translate(folder, "-o", "config-dump", "--gateway", "infra/waypoint"))

    parts = {each["@type"].rpartition(".")[2]: each for each in dump["configs"]}
    listeners = [each["active_state"]["listener"] for each in _of(parts, "Listeners")]
    assert [_bare(each) for each in listeners] == waypoint["listeners"]
    assert _bare_all(parts, "Clusters", "cluster") == waypoint["clusters"]
    assert _bare_all(parts, "Endpoints", "endpoint_config") == waypoint["endpoints"]
    assert _bare_all(parts, "FilterChains", "filter_chain") == waypoint["filter_chains"]
    assert _bare_all(parts, "Routes", "route_config") == waypoint["routes"]
    (scopes,) = _of(parts, "ScopedRoutes")
    assert [_bare(each) for each in scopes["scoped_route_configs"]] == waypoint["scoped_routes"]
    assert all(each["version_info"] for each in _of(parts, "Clusters"))


def test_what_is_printed_is_what_envoy_reads() -> None:
    for gateway in json.loads(translate(str(WORLDS / "shop")))["gateways"].values():
        for section, kind in {
            "listeners": Listener,
            "filter_chains": FilterChain,
            "routes": RouteConfiguration,
            "clusters": Cluster,
        }.items():
            for each in gateway[section]:
                read = ParseDict(each, kind(), descriptor_pool=POOL)
                assert read.name == each["name"]


def test_a_broken_object_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    before = json.loads(translate(str(WORLDS / "shop")))
    (tmp_path / "broken.yaml").write_text("kind: Service\napiVersion: v1\nmetadata: {name: [}\n")

    after = json.loads(translate(str(WORLDS / "shop"), str(tmp_path), code=1))

    assert after["gateways"] == before["gateways"] and after["status"] == before["status"]
    assert [each["code"] for each in after["problems"]] == ["SER0001"]


def _of(parts: dict[str, Any], name: str) -> list[Any]:
    part = parts[f"{name}ConfigDump"]
    (field,) = part.keys() - {"@type"}
    return list(part[field])


def _bare_all(parts: dict[str, Any], name: str, field: str) -> list[Any]:
    return [_bare(each[field]) for each in _of(parts, name)]


def _bare(typed: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in typed.items() if name != "@type"}
