"""The Secret with our certificate: made, made anew if it is ours, and never taken from others."""

from __future__ import annotations

from typing import Any

import pytest

from serai.app.controller.xds_keys import OURS, SECRET, SecretKeys
from serai.kube.resource import Resource
from serai.kube.wire import Name


class Kept:
    """An API server with one Secret, or none."""

    def __init__(self, secret: dict[str, Any] | None = None) -> None:
        self.secret = secret

    async def read(self, resource: Resource, name: Name) -> dict[str, Any] | None:
        return self.secret if (resource.kind, name.name) == ("Secret", SECRET) else None

    async def create(self, resource: Resource, namespace: str, obj: Any) -> dict[str, Any]:
        del resource, namespace
        self.secret = obj
        return dict(obj)

    async def replace(self, resource: Resource, name: Name, obj: Any) -> dict[str, Any]:
        del resource, name
        self.secret = obj
        return dict(obj)


def keys_in(kept: Kept) -> SecretKeys:
    access: Any = kept
    return SecretKeys(access, "serai-system", ("serai.serai-system.svc",))


async def test_what_is_made_is_read_by_the_next() -> None:
    kept = Kept()
    one, other = keys_in(kept), keys_in(kept)
    assert await one.look()
    assert await other.look()
    assert one.serving == other.serving


@pytest.mark.parametrize("data", [{}, {"tls.crt": "bm9uc2Vuc2U="}, {"tls.crt": "not base64"}])
async def test_what_is_of_no_use_is_made_anew_if_it_is_ours(data: dict[str, str]) -> None:
    kept = Kept({"metadata": {"name": SECRET, "labels": OURS}, "data": data})
    assert await keys_in(kept).look()
    assert kept.secret is not None
    assert kept.secret["data"].keys() > {"ca.crt", "tls.crt"}


async def test_a_secret_of_somebody_else_is_left_as_it_is() -> None:
    theirs = {"metadata": {"name": SECRET}, "data": {"tls.crt": "dGhlaXJz"}}
    kept = Kept(theirs)
    assert not await keys_in(kept).look()
    assert kept.secret is theirs
