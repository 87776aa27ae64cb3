"""Many clusters: other networks, rights, and many objects, on two real API servers."""

from __future__ import annotations

import asyncio
from typing import Any

from kube import assets
from kube.manifests import ENTRY, GATEWAY, NAMESPACE, head, namespace
from kube.remotes import (
    GLOBAL,
    POD,
    SECRET,
    addresses,
    controller,
    kubeconfig,
    reached,
    secret,
    shop,
)
from kube.waiting import until
from serai.app.clusters import MOST_AT_ONCE
from serai.app.clusters.remote import Reach
from serai.ir.distribution import NETWORK
from serai.kube.access import MERGE_PATCH, Access
from serai.kube.resource import Resource
from serai.kube.wire import Name
from serai.views.clusters import cluster_rows
from serai.views.problems import found_by

RBAC = "rbac.authorization.k8s.io"
ROLE = Resource(RBAC, "v1", "clusterroles", "ClusterRole")
BINDING = Resource(RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding")


async def test_another_network_is_known_by_the_gateways_there(
    api: assets.ApiServer, admin: Access, west_api: assets.ApiServer, west: Access
) -> None:
    space = await namespace(admin, "across")
    await west.create(NAMESPACE, "", {"metadata": {"name": space}})
    await secret(admin, space, "west", west=kubeconfig(west_api))
    system = {"name": "istio-system"}
    for access, network in ((admin, "near"), (west, "far")):
        body = {"metadata": {**system, "labels": {NETWORK: network}}}
        await access.apply(NAMESPACE, Name("", "istio-system"), body)
    async with controller(api, space) as one:
        await shop(admin, space, "10.0.0.1", 8080)
        await shop(west, space, "10.0.0.2", 8080)
        meshed = {"metadata": {"annotations": {"ambient.istio.io/redirection": "enabled"}}}
        await west.patch(POD, Name(space, "shop"), meshed, MERGE_PATCH)
        await until(lambda: "SER1214" in {each.code for each in found_by(one.core.pipeline)})
        assert addresses(one, space) == {"10.0.0.1"}
        listener = {"name": "cross-network", "port": 15008, "protocol": "HBONE"}
        spec = {"gatewayClassName": "istio-east-west", "listeners": [listener]}
        meta = {"name": "east-west", "labels": {NETWORK: "far"}}
        gateway = {**head(GATEWAY, "east-west"), "metadata": meta, "spec": spec}
        await west.create(GATEWAY, "istio-system", gateway)
        status = {"addresses": [{"type": "IPAddress", "value": "192.0.2.7"}]}
        name = Name("istio-system", "east-west")
        await west.patch(GATEWAY, name, {"status": status}, MERGE_PATCH, "status")
        await until(lambda: addresses(one, space) == {"10.0.0.1", "192.0.2.7"})
        await west.delete(GATEWAY, name)
        await until(lambda: addresses(one, space) == {"10.0.0.1"})
    for access in (admin, west):
        await access.apply(NAMESPACE, Name("", "istio-system"), {"metadata": system})


def reader(*kinds: str) -> dict[str, Any]:
    """A ClusterRole of what docs/multicluster.md names, but for some kinds."""
    groups = {
        "": ["namespaces", "nodes", "pods", "services"],
        "discovery.k8s.io": ["endpointslices"],
        "networking.istio.io": ["serviceentries", "workloadentries"],
        "gateway.networking.k8s.io": ["gateways"],
    }
    rules = [
        {
            "apiGroups": [group],
            "resources": [each for each in resources if each not in kinds],
            "verbs": ["get", "list", "watch"],
        }
        for group, resources in groups.items()
    ]
    return {"metadata": {"name": "reader"}, "rules": rules}


async def test_what_the_user_of_the_kubeconfig_needs(
    api: assets.ApiServer, admin: Access, west_api: assets.ApiServer, west: Access
) -> None:
    space = await namespace(admin, "rights")
    await west.create(NAMESPACE, "", {"metadata": {"name": space}})
    await west.apply(ROLE, Name("", "reader"), reader())
    subject = {"kind": "User", "name": "nobody", "apiGroup": RBAC}
    granted = {"kind": "ClusterRole", "name": "reader", "apiGroup": RBAC}
    body = {"metadata": {"name": "reader"}, "roleRef": granted, "subjects": [subject]}
    await west.apply(BINDING, Name("", "reader"), body)
    await shop(admin, space, "10.0.0.1", 8080)
    await shop(west, space, "10.0.0.2", 8080)
    await secret(admin, space, "west", west=kubeconfig(west_api, token="nobody-token"))
    async with controller(api, space) as one:
        await until(lambda: reached(one) == {"west": Reach.SYNCED})
        await until(lambda: addresses(one, space) == {"10.0.0.1", "10.0.0.2"})
        assert one.clusters.problems() == ()
    await west.apply(ROLE, Name("", "reader"), reader("workloadentries"))
    async with controller(api, space) as one:
        await until(lambda: addresses(one, space) == {"10.0.0.1", "10.0.0.2"})
        assert reached(one) == {"west": Reach.SYNCED}
        (problem,) = one.clusters.problems()
        assert (problem.code, problem.severity) == ("SER1213", "warning")
        assert problem.message.startswith("WorkloadEntry of cluster west cannot be followed: 403")
        (row,) = await one.read(cluster_rows)
        assert (row.name, row.secret, row.state) == ("west", f"{space}/west", "synced")
        assert row.endpoints >= 1
    await west.delete(BINDING, Name("", "reader"))


async def test_a_large_cluster_is_put_in_bit_by_bit(
    api: assets.ApiServer, admin: Access, west_api: assets.ApiServer, west: Access
) -> None:
    space, number = await namespace(admin, "large"), 2 * MOST_AT_ONCE + 1
    await west.create(NAMESPACE, "", {"metadata": {"name": space}})
    crowd = asyncio.Semaphore(20)

    async def entry(position: int) -> None:
        name = f"pay-{position}"
        spec: dict[str, Any] = {
            "hosts": [f"{name}.{space}.example"],
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
            "resolution": "STATIC",
            "endpoints": [{"address": f"10.1.{position // 250}.{position % 250}"}],
        }
        meta = {"name": name, "labels": GLOBAL}
        async with crowd:
            await west.create(ENTRY, space, {**head(ENTRY, name), "metadata": meta, "spec": spec})

    await asyncio.gather(*(entry(position) for position in range(number)))
    async with controller(api, space) as one:
        inputs = one.core.pipeline.inputs

        def there() -> set[str]:
            keys = inputs.other_backends.keys()
            return {each.backend.host for each in keys if each.backend.host.endswith(".example")}

        sizes = [0]
        steps: list[int] = []

        async def watch() -> None:
            async for _ in one.changes.follow():
                steps.append(len(inputs.other_backends) - sizes[-1])
                sizes.append(len(inputs.other_backends))

        watching = asyncio.create_task(watch())
        await secret(admin, space, "west", west=kubeconfig(west_api))
        await until(lambda: len(there()) == number)
        assert max(steps) <= MOST_AT_ONCE
        await admin.delete(SECRET, Name(space, "west"))
        await until(lambda: not inputs.other_backends.rows)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
