"""Rate limits read from a real API server."""

from __future__ import annotations

import asyncio
from typing import Any

from kube import assets
from kube.installing import BASE, install, token
from kube.manifests import CONFIG_MAP, namespace
from serai.api.rate_limit_config import LABEL
from serai.app.cluster_limits import ClusterLimits
from serai.kube.access import MERGE_PATCH, Access
from serai.kube.wire import Name
from serai.ratelimit.config import UnusableError
from serai.ratelimit.rules import Rules

SECONDS = 20.0


def limits(amount: object, label: str = "true") -> dict[str, Any]:
    text = "domain: api\ndescriptors: [{key: k, rate_limit: {unit: day, requests_per_unit: %s}}]"
    metadata = {"name": "limits", "labels": {LABEL: label}}
    return {"metadata": metadata, "data": {"limits.yaml": text % amount}}


async def test_the_service_needs_no_more_than_it_is_given(
    api: assets.ApiServer, admin: Access
) -> None:
    await install(admin)
    await install(admin, BASE.parent / "rate-limits")
    access = api.access(token=await token(admin, "serai-ratelimit"))
    own = await namespace(admin, "granted-limits")
    await admin.create(CONFIG_MAP, own, limits(7))
    found = ClusterLimits(access).follow()
    try:
        async with asyncio.timeout(SECONDS):
            while not isinstance(news := await anext(found), tuple) or not news:
                pass
        assert Rules(news).limit(f"{own}/api", (("k", "v"),)) is not None
    finally:
        await found.aclose()
        await access.close()


async def test_limits_are_those_of_labelled_config_maps_and_the_last_good_ones_hold(
    admin: Access,
) -> None:
    own = await namespace(admin, "limits")
    found = ClusterLimits(admin).follow()

    async def of_the_api() -> int | str | None:
        """The next limit there is for our domain, or what is said of one that is wrong."""
        async with asyncio.timeout(SECONDS):
            news = await anext(found)
        if isinstance(news, UnusableError):
            return str(news)
        limit = Rules(news).limit(f"{own}/api", (("k", "v"),))
        return limit.amount if limit else None

    try:
        assert await of_the_api() is None
        await admin.create(CONFIG_MAP, own, limits(7))
        assert await of_the_api() == 7

        name = Name(own, "limits")
        await admin.patch(CONFIG_MAP, name, limits("many"), MERGE_PATCH)
        said = await of_the_api()
        assert isinstance(said, str) and "requests_per_unit" in said
        assert await of_the_api() == 7

        await admin.patch(CONFIG_MAP, name, limits(9), MERGE_PATCH)
        assert await of_the_api() == 9
        await admin.patch(CONFIG_MAP, name, limits(9, label="false"), MERGE_PATCH)
        assert await of_the_api() is None
    finally:
        await found.aclose()
