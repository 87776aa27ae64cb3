"""Configuration as JSON: only what was asked for, and never a secret."""

from __future__ import annotations

import json

import pytest

from serai.api.meta import Key
from serai.proto.envoy import Secret
from serai.views.configuration import SECTIONS, as_json, configuration
from serai.xds.encode.body import resource
from serai.xds.resource import ResourceType
from unit.views.worlds import SHOP, state_of


@pytest.mark.parametrize(
    ("only", "parts", "sections"),
    [
        ((), ["gateways", "status", "problems"], list(SECTIONS)),
        (("status",), ["status"], None),
        (("problems", "clusters"), ["gateways", "problems"], ["clusters"]),
        (("gateways", "clusters"), ["gateways"], list(SECTIONS)),
        (("endpoints", "listeners"), ["gateways"], ["listeners", "endpoints"]),
    ],
)
def test_only_what_was_asked_for(
    only: tuple[str, ...], parts: list[str], sections: list[str] | None
) -> None:
    state = state_of(SHOP)

    found = configuration(state.pipeline, state.problems, only=only)

    assert list(found) == parts
    if sections is not None:
        assert list(found["gateways"]["infra/edge"]) == sections


def test_only_the_gateways_asked_for() -> None:
    state = state_of(SHOP)

    found = configuration(state.pipeline, (), gateways=[Key("Gateway", "infra", "edge")])

    assert list(found["gateways"]) == ["infra/edge"]


@pytest.mark.parametrize(
    "secret",
    [
        Secret(
            name="s",
            tls_certificate={
                "certificate_chain": {"inline_string": "public"},
                "private_key": {"inline_string": "hunter2"},
            },
        ),
        Secret(name="s", generic_secret={"secret": {"inline_string": "hunter2"}}),
        Secret(name="s", session_ticket_keys={"keys": [{"inline_string": "hunter2"}]}),
        Secret(name="s", tls_certificate={"password": {"inline_string": "hunter2"}}),
    ],
)
def test_secrets_are_withheld(secret: Secret) -> None:
    shown = as_json(resource(ResourceType.SECRET, "s", secret, ()))

    assert shown["name"] == "s"
    assert "hunter2" not in json.dumps(shown) and "[redacted]" in json.dumps(shown)


def test_what_is_no_secret_is_shown() -> None:
    secret = Secret(name="s", tls_certificate={"certificate_chain": {"inline_string": "public"}})

    shown = as_json(resource(ResourceType.SECRET, "s", secret, ()))

    assert shown["tls_certificate"] == {"certificate_chain": {"inline_string": "public"}}
