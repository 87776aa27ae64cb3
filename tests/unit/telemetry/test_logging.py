"""Logs have one form on terminals and one elsewhere, stable keys, and levels by scope."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
import structlog

from serai.telemetry.logging import configure, parse_level


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    yield
    structlog.reset_defaults()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_json_has_its_keys_in_order() -> None:
    out = io.StringIO()
    configure(stream=out)

    structlog.get_logger("serai.server.ads").info(
        "pushed", zebra=1, code="SER", object="a", apple=2
    )

    event = json.loads(out.getvalue())
    assert list(event) == ["time", "level", "scope", "msg", "object", "code", "apple", "zebra"]
    assert (event["level"], event["scope"], event["msg"]) == ("info", "server", "pushed")


def test_an_exception_is_part_of_its_line() -> None:
    out = io.StringIO()
    configure(stream=out)
    try:
        int("why")
    except ValueError:
        structlog.get_logger("serai.web").exception("failed")

    (line,) = out.getvalue().splitlines()
    assert "ValueError: invalid literal" in json.loads(line)["exception"]


def test_a_terminal_gets_a_line_for_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Terminal()
    configure(stream=out)

    structlog.get_logger("serai.envoy.fleet").warning("envoy.died", gateway="infra/edge")

    assert "envoy.died" in out.getvalue() and "{" not in out.getvalue()
    assert "\x1b[" in out.getvalue()


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    configure(stream=out)

    structlog.get_logger("serai").warning("x")

    assert "\x1b[" not in out.getvalue()


def test_a_scope_can_say_more_than_the_rest() -> None:
    out = io.StringIO()
    configure("warning,xds=debug", stream=out)

    structlog.get_logger("serai.xds.delta").debug("heard")
    structlog.get_logger("serai.web.app").info("not heard")
    structlog.get_logger("serai.web.app").error("heard too")

    assert [json.loads(line)["msg"] for line in out.getvalue().splitlines()] == [
        "heard",
        "heard too",
    ]


@pytest.mark.parametrize("level", ["loud", "info,xds=loud", "xds="])
def test_a_level_that_is_none_is_refused(level: str) -> None:
    with pytest.raises(ValueError, match="is not a level; there are: debug, info, warning, error"):
        parse_level(level)
