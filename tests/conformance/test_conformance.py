"""Every test of the suite that is at hand, replayed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.backends import Backends
from conformance.data import ABSENT, DATA, cases
from conformance.not_yet import CLUSTER_ONLY, NOT_YET
from conformance.replay import replaying
from conformance.world import Network

pytestmark = [pytest.mark.live, pytest.mark.timeout(60)]


def _tests() -> list[Any]:
    if not DATA.is_dir():
        return [pytest.param("", marks=pytest.mark.skip(reason=ABSENT))]
    return [pytest.param(name, id=name, marks=_marks(name)) for name in cases()]


def _marks(name: str) -> list[pytest.MarkDecorator]:
    if name in CLUSTER_ONLY:
        return [pytest.mark.skip(reason=CLUSTER_ONLY[name])]
    if name in NOT_YET:
        return [pytest.mark.xfail(reason=NOT_YET[name], strict=True)]
    return []


@pytest.fixture(scope="session")
def network() -> Network:
    """Addresses; a skip where the suite's ports cannot be listened on."""
    found = Network()
    with socket.socket() as probe:
        try:
            probe.bind((found.gateway(0), 80))
        except PermissionError:
            pytest.skip("ports below 1024 need privileges that this user does not have")
    return found


@pytest.fixture(scope="session")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    """The suite's backends."""
    found = Backends(tmp_path_factory.mktemp("backends"))
    yield found
    found.close()


@pytest.mark.parametrize("name", _tests())
async def test_conformance(name: str, network: Network, backends: Backends, tmp_path: Path) -> None:
    async with replaying(cases()[name], network, backends, tmp_path) as replay:
        await replay.follow()
