"""The console shows what there is, whatever the names of things do."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from serai.views.state import ClientState, Facts
from serai.web import console
from serai.web.app import admin_app
from web.instances import WORLDS, FolderInstance


def page(instance: FolderInstance) -> str:
    with TestClient(admin_app(instance), base_url="http://localhost:9095") as client:
        return client.get("/").text


def test_it_shows_problems_gateways_services_and_clients() -> None:
    text = page(FolderInstance(WORLDS / "shop"))

    for shown in ("infra/waypoint", "payments", "edge.infra", "no problems", "Envoy crash-looping"):
        assert shown in text
    assert "14 objects, serving" in text


def test_names_never_become_markup() -> None:
    evil = "<script>alert('x')</script>"
    facts = Facts(clients=(ClientState(evil, evil, agent=evil),))

    text = page(FolderInstance(WORLDS / "shop", facts=facts))

    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_secrets_are_nowhere(tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2}\n"
    )
    instance = FolderInstance(tmp_path)

    with TestClient(admin_app(instance), base_url="http://localhost") as client:
        for path in ("/", "/api/v1/translate", "/api/v1/explain?what=secret/s", "/metrics"):
            assert "hunter2" not in client.get(path).text


def test_a_long_table_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "MOST_ROWS", 3)

    assert "and 1 more: serai get services" in page(FolderInstance(WORLDS / "shop"))


def test_the_page_runs_only_its_own_script() -> None:
    with TestClient(admin_app(FolderInstance(WORLDS / "shop")), base_url="http://[::1]") as client:
        response = client.get("/")
        script, style = client.get("/console.js"), client.get("/console.css")

        assert client.get("/console.txt").status_code == 404
    assert "script-src 'self'" in response.headers["content-security-policy"]
    assert (
        script.headers["content-type"].startswith("text/javascript")
        and "EventSource" in script.text
    )
    assert style.headers["content-type"].startswith("text/css")
