from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from kube import assets
from serai.kube.access import Access


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[assets.ApiServer]:
    """A real API server with our CRDs, the same for all tests: each takes namespaces of its own."""
    if reason := assets.missing():
        pytest.skip(reason)
    with assets.running(tmp_path_factory.mktemp("api")) as server:
        yield server


@pytest.fixture
async def admin(api: assets.ApiServer) -> AsyncIterator[Access]:
    """Whoever may do everything there."""
    access = api.access()
    yield access
    await access.close()


@pytest.fixture(scope="session")
def west_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[assets.ApiServer]:
    """The API server of another cluster."""
    if reason := assets.missing():
        pytest.skip(reason)
    with assets.running(tmp_path_factory.mktemp("west")) as server:
        yield server


@pytest.fixture
async def west(west_api: assets.ApiServer) -> AsyncIterator[Access]:
    """Whoever may do everything there."""
    access = west_api.access()
    yield access
    await access.close()
