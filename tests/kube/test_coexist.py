"""In one cluster with Istio and kgateway: what is theirs stays as they left it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from kube import assets
from kube.controllers import deploying
from kube.manifests import CLASS, ENTRY, GATEWAY, ROUTE, entry, gateway_class, head, namespace
from kube.waiting import conditions, deployed, told
from serai.attach.gateways import CONTROLLER
from serai.kube.access import MERGE_PATCH, Access
from serai.kube.deployment import RESOURCES
from serai.kube.wire import Name

THEIRS = {
    "istio": "istio.io/gateway-controller",
    "istio-waypoint": "istio.io/mesh-controller",
    "kgateway": "kgateway.dev/kgateway",
}
REVISION = {"istio.io/rev": "canary"}


@asynccontextmanager
async def their_classes(admin: Access) -> AsyncIterator[None]:
    """For as long as it lasts: others run alone."""
    for name, controller in THEIRS.items():
        body = {**head(CLASS, name), "spec": {"controllerName": controller}}
        await admin.create(CLASS, "", body)
    try:
        yield
    finally:
        for name in THEIRS:
            await admin.delete(CLASS, Name("", name))


async def gateway(
    admin: Access, space: str, name: str, of: str, labels: dict[str, str] | None = None
) -> None:
    listeners = [{"name": "http", "port": 80, "protocol": "HTTP"}]
    spec = {"gatewayClassName": of, "listeners": listeners}
    body = head(GATEWAY, name)
    body["metadata"]["labels"] = labels or {}
    await admin.create(GATEWAY, space, {**body, "spec": spec})


async def route(admin: Access, space: str, *parents: str) -> None:
    backend = {"group": "networking.istio.io", "kind": "Hostname", "port": 80}
    rules = [{"backendRefs": [{**backend, "name": f"{space}.example"}]}]
    spec = {"parentRefs": [{"name": each} for each in parents], "rules": rules}
    await admin.create(ROUTE, space, {**head(ROUTE, "shared"), "spec": spec})


def accepted(controller: str, parent: str) -> dict[str, Any]:
    """What another controller says of a route."""
    condition = {
        "type": "Accepted",
        "status": "True",
        "reason": "Accepted",
        "message": "theirs",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    reference = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": parent}
    return {"controllerName": controller, "parentRef": reference, "conditions": [condition]}


async def untouched(admin: Access, space: str, name: str, before: dict[str, Any]) -> None:
    """A Gateway is as it was made, and nothing was deployed for it."""
    assert await admin.read(GATEWAY, Name(space, name)) == before
    assert not [each for each in RESOURCES if await admin.read(each, Name(space, name))]


@pytest.mark.parametrize("of", THEIRS)
async def test_what_is_of_their_classes_is_left_alone(
    api: assets.ApiServer, admin: Access, of: str
) -> None:
    space = await namespace(admin, f"beside-{of}")
    async with their_classes(admin):
        await gateway_class(admin)
        await gateway(admin, space, "theirs", of)
        before = await admin.read(GATEWAY, Name(space, "theirs"))
        assert before is not None
        await entry(admin, space, f"{space}.example", 1)
        await route(admin, space, "theirs", "edge")
        said = {"status": {"parents": [accepted(THEIRS[of], "theirs")]}}
        await admin.patch(ROUTE, Name(space, "shared"), said, MERGE_PATCH, "status")
        async with deploying(api, space):
            await gateway(admin, space, "edge", "serai")
            await deployed(admin, space)
            await told(admin, GATEWAY, space, "edge", "listeners")
            found: dict[str, Any] = {"parents": [{}]}
            while len(found["parents"]) < 2:
                found = await told(admin, ROUTE, space, "shared", "parents")
            by = {each["controllerName"]: each for each in found["parents"]}
            assert by.keys() == {THEIRS[of], CONTROLLER}
            assert by[THEIRS[of]] == accepted(THEIRS[of], "theirs")
            assert by[CONTROLLER]["parentRef"]["name"] == "edge"
            assert conditions(by[CONTROLLER])["Accepted"] == "True"
            await untouched(admin, space, "theirs", before)
            for name in THEIRS:
                theirs = await admin.read(CLASS, Name("", name))
                assert theirs is not None
                waiting = [each["status"] for each in theirs["status"]["conditions"]]
                assert waiting == ["Unknown"], "as the CRD has it before its controller comes"
            # istiod hands out addresses where it runs.
            kept = await admin.read(ENTRY, Name(space, "partner"))
            assert kept is not None
            assert "addresses" not in kept.get("status", {})


async def test_objects_of_another_revision_are_left_alone(
    api: assets.ApiServer, admin: Access
) -> None:
    space = await namespace(admin, "beside-canary")
    await gateway_class(admin)
    await gateway(admin, space, "canary", "serai", REVISION)
    before = await admin.read(GATEWAY, Name(space, "canary"))
    assert before is not None
    await entry(admin, space, f"{space}.example", 1)
    labelled = {"metadata": {"labels": REVISION}}
    await admin.patch(ENTRY, Name(space, "partner"), labelled, MERGE_PATCH)
    await route(admin, space, "canary", "edge")
    async with deploying(api, space):
        await gateway(admin, space, "edge", "serai")
        await deployed(admin, space)
        found = await told(admin, ROUTE, space, "shared", "parents")
        (parent,) = found["parents"]
        assert parent["parentRef"]["name"] == "edge"
        # A ServiceEntry of theirs is none of ours, whoever refers to it.
        assert conditions(parent)["ResolvedRefs"] == "False"
        await untouched(admin, space, "canary", before)
        # It becomes ours as soon as its label says so.
        ours = {"metadata": {"labels": {"istio.io/rev": "default"}}}
        await admin.patch(GATEWAY, Name(space, "canary"), ours, MERGE_PATCH)
        await told(admin, GATEWAY, space, "canary", "listeners")
