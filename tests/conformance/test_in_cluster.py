"""The suite's tests in Kubernetes: a real API server, `serai controller`, and what it deploys."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from conformance.backends import Backends
from conformance.data import ABSENT, DATA, cases, manifests
from conformance.in_cluster import BALANCERS, PODS, Server, cluster
from conformance.replay import Replay
from conformance.world import Network, World
from kube import assets
from live.namespaces import cannot

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

FEW = (
    "BackendTLSPolicyGRPCRoute",
    "GRPCRouteWeight",
    "GatewayModifyListeners",
    "GatewayStaticAddresses",
    "GatewayWithAttachedRoutesWithPort8080",
    "HTTPRouteReferenceGrant",
    "MeshConsumerRoute",
    "TLSRouteSimpleSameNamespace",
    "UDPRoute",
)
"""Run every time: of each kind one, and what the API server and the deployment have a part in."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    without = "" if shutil.which("chroot") else "Pods here need chroot, which is not on the PATH"
    if reason := assets.missing() or cannot() or without or ("" if DATA.is_dir() else ABSENT):
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("cluster")
    with assets.running(folder / "api") as api, cluster(api, folder) as found:
        yield found


@pytest.fixture(scope="module")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    found = Backends(tmp_path_factory.mktemp("backends"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(PODS, f"{BALANCERS}.200")


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in (cases() or FEW)])
async def test_in_cluster(
    name: str, server: Server, network: Network, backends: Backends, request: pytest.FixtureRequest
) -> None:
    if name not in FEW and not request.config.getoption("--in-cluster"):
        pytest.skip("--in-cluster runs all of them")
    case = cases()[name]
    world = World(manifests(case), network, server)
    backends.ensure(world)
    await Replay(case, world, server.status, backends, server.ztunnel).follow()
