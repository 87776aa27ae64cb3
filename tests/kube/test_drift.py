"""What was deployed and somebody changed or deleted is put back; what they added is theirs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kube import assets
from kube.controllers import deploying
from kube.manifests import CONFIG_MAP, DEPLOYMENT, SERVICE, gateway, namespace
from kube.waiting import deployed, happened, when
from serai.api.meta import Key
from serai.kube.access import MERGE_PATCH, Access
from serai.kube.contest import FIRST, LONGEST, QUIET_SECONDS, Contest
from serai.kube.resource import Resource
from serai.kube.wire import Name

Json = dict[str, Any]


def is_as_deployed(found: Json) -> bool:
    (envoy,) = found["spec"]["template"]["spec"]["containers"]
    return bool(envoy["image"] == "envoy:1.40" and envoy["securityContext"].get("capabilities"))


async def edit(access: Access, resource: Resource, name: Name, patch: Json) -> None:
    """Change an object, as somebody else."""
    who = {"fieldManager": "kubectl-edit"}
    await access._write("PATCH", resource.path(name), patch, MERGE_PATCH, who)


def evil(number: int) -> Json:
    """A Deployment with an image that nobody asked for."""
    envoy = {"name": "envoy", "image": f"evil:{number}"}
    return {"spec": {"template": {"spec": {"containers": [envoy]}}}}


async def edited_until(access: Access, name: Name, reason: str) -> Json:
    """An Event that comes of edits; one that meets a deployment under way is told of none."""
    waiting = asyncio.create_task(happened(access, name.namespace, reason))
    try:
        for number in range(1, 6):
            await edit(access, DEPLOYMENT, name, evil(number))
            await when(access, DEPLOYMENT, name, is_as_deployed)
            if (await asyncio.wait([waiting], timeout=1))[0]:
                break
        return await waiting
    finally:
        waiting.cancel()


async def test_what_is_changed_is_put_back_and_what_is_added_stays(
    api: assets.ApiServer, admin: Access
) -> None:
    space = await namespace(admin, "changed")
    name = Name(space, "edge")
    async with deploying(api, space):
        await gateway(admin, space)
        await deployed(admin, space)
        patch = {
            "metadata": {"annotations": {"theirs": "yes"}},
            "spec": {**evil(0)["spec"], "minReadySeconds": 3},
        }
        await edit(admin, DEPLOYMENT, name, patch)
        found = await when(admin, DEPLOYMENT, name, is_as_deployed)
        assert found["metadata"]["annotations"]["theirs"] == "yes"
        assert found["spec"]["minReadySeconds"] == 3
        event = await edited_until(admin, name, "DriftCorrected")
        assert "Deployment edge was changed by kubectl-edit" in event["note"]
        labels = {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}
        await edit(admin, SERVICE, name, labels)
        await when(
            admin,
            SERVICE,
            name,
            lambda it: it["metadata"]["labels"].get("app.kubernetes.io/managed-by") == "serai",
        )


@pytest.mark.parametrize("resource", [CONFIG_MAP, DEPLOYMENT], ids=lambda each: each.plural)
async def test_what_is_deleted_is_made_again(
    api: assets.ApiServer, admin: Access, resource: Resource
) -> None:
    space = await namespace(admin, f"deleted-{resource.plural}")
    name = Name(space, "edge")
    async with deploying(api, space):
        await gateway(admin, space)
        await deployed(admin, space)
        before = (await admin.read(resource, name) or {})["metadata"]["uid"]
        await admin.delete(resource, name)
        await when(admin, resource, name, lambda found: found["metadata"]["uid"] != before)


async def test_who_goes_on_changing_it_is_told_so_and_waited_for_ever_longer(
    api: assets.ApiServer, admin: Access
) -> None:
    space = await namespace(admin, "fought")
    name = Name(space, "edge")
    async with deploying(api, space) as one:
        await gateway(admin, space)
        await deployed(admin, space)
        before = one.deploying.deployer.writes  # other tests' Gateways are deployed, too
        event = await edited_until(admin, name, "DriftContested")
        assert event["type"] == "Warning"
        assert event["note"].startswith("kubectl-edit goes on changing Deployment edge")
        writes = one.deploying.deployer.writes - before
        assert writes < 60, "nobody is fought in a tight loop"


def test_how_long_is_waited() -> None:
    contest, gateway = Contest(), Key("Gateway", "a", "b")
    assert [contest.struck(gateway, 0.0) for _ in range(4)] == [
        (1, 0.0),
        (2, FIRST),
        (3, 2 * FIRST),
        (4, 4 * FIRST),
    ]
    waits = [contest.struck(gateway, 10.0)[1] for _ in range(100)]
    assert waits[-1] == LONGEST
    assert contest.struck(gateway, 10.0 + LONGEST + QUIET_SECONDS + 1.0) == (1, 0.0)
