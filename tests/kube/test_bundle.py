"""The bundle version of the CRDs on a real API server, told on a GatewayClass."""

from __future__ import annotations

import asyncio
from typing import Any

from kube import assets
from kube.controllers import controller
from kube.manifests import CLASS, gateway_class, namespace
from kube.waiting import conditions, status
from serai.kube.access import MERGE_PATCH, Access
from serai.kube.wire import Name
from serai.status.bundle import ANNOTATION, CLASSES

DEFINITION = Name("", CLASSES)


async def annotate(access: Access, version: Any) -> None:
    """Of that bundle from now on; None: without the annotation."""
    body = {"metadata": {"annotations": {ANNOTATION: version}}}
    await access.patch(assets.DEFINITION, DEFINITION, body, MERGE_PATCH)


async def says(access: Access, wanted: str, words: str = "") -> None:
    """Wait until SupportedVersion is so, and Accepted is True."""
    async with asyncio.timeout(20):
        while True:
            found = await status(access, CLASS, "", "serai")
            told = {each["type"]: each for each in found["conditions"]}
            supported = told.get("SupportedVersion", {"status": "", "message": ""})
            if supported["status"] == wanted and words in supported["message"]:
                break
            await asyncio.sleep(0.05)
    assert conditions(found)["Accepted"] == "True"
    assert supported["reason"] == ("SupportedVersion" if wanted == "True" else "UnsupportedVersion")


async def test_the_condition_follows_the_annotation(api: assets.ApiServer, admin: Access) -> None:
    before = await admin.read(assets.DEFINITION, DEFINITION)
    assert before is not None
    space = await namespace(admin, "bundle")
    await gateway_class(admin)
    try:
        await annotate(admin, "v1.6.1")
        async with controller(api, space, "one"):
            await says(admin, "True")
            await annotate(admin, "v1.7.0")
            await says(admin, "False", "v1.7.0")
            await annotate(admin, None)
            await says(admin, "False", ANNOTATION)
            await annotate(admin, "v1.5.0")
            await says(admin, "True")
    finally:
        await annotate(admin, before["metadata"]["annotations"][ANNOTATION])
