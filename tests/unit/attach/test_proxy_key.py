"""A proxy is called by its Gateway's namespace and name, and is found by that."""

from __future__ import annotations

import pytest

from serai.api.meta import Key
from serai.attach.gateways import proxy_key

EDGE = Key("Gateway", "infra", "edge")


def test_a_name_leads_back_to_its_gateway() -> None:
    assert EDGE.namespaced_name == "infra/edge"
    assert proxy_key(EDGE.namespaced_name) == EDGE


@pytest.mark.parametrize("name", ["", "edge"])
def test_what_is_no_such_name_leads_to_none(name: str) -> None:
    assert proxy_key(name).name == ""
