"""Who asks for a Gateway's configuration gets it only as its ServiceAccount, and only its own."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import trustme

from serai.api.decode import decode
from serai.app.controller.admission import ACCOUNT, Admission
from serai.app.core import Core
from serai.kube.access import ApiError
from serai.kube.wire import Failure
from serai.model.settings import Settings
from serai.server.guard import Identity, RefusedError
from serai.xds.resource import ResourceType
from serai.xds.wire import Node
from unit.app.gateways import CLASS, gateway

TLS = trustme.CA()


def secret(name: str) -> dict[str, Any]:
    pair = TLS.issue_cert(f"{name}.example")
    data = {
        "tls.crt": pair.cert_chain_pems[0].bytes(),
        "tls.key": pair.private_key_pem.bytes(),
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "infra"},
        "type": "kubernetes.io/tls",
        "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
    }


def core_with(*plain: dict[str, Any]) -> Core:
    core = Core(Settings(standalone=False))
    objects = []
    for each in plain:
        found = decode(each)
        assert found.object is not None, found.problems
        objects.append(found.object)
    core.apply(objects)
    return core


def admission(core: Core, access: Any = None) -> Admission:
    return Admission(access, core.pipeline, now=lambda: 0.0)


def account(name: str) -> Identity:
    return Identity(f"system:serviceaccount:{name}", 3600.0)


EDGE = Node(id="edge-1", cluster="infra/edge")


def test_its_own_service_account_may() -> None:
    admission(core_with(gateway("edge"))).permit(account("infra:edge"), EDGE)


@pytest.mark.parametrize("who", ["infra:other", "shop:edge", "infra:default", "edge", ""])
def test_nobody_else_may(who: str) -> None:
    with pytest.raises(RefusedError, match="is not the ServiceAccount of the Gateway infra/edge"):
        admission(core_with(gateway("edge"))).permit(account(who), EDGE)


@pytest.mark.parametrize(("said", "who"), [("proxies", "infra:proxies"), ("ops/x", "ops:x")])
def test_a_gateway_may_name_another_one(said: str, who: str) -> None:
    core = core_with(gateway("edge", **{ACCOUNT: said}))
    admission(core).permit(account(who), EDGE)
    with pytest.raises(RefusedError):
        admission(core).permit(account("infra:edge"), EDGE)


async def test_without_a_token_or_an_api_server_nobody_is_let_in() -> None:
    class Away:
        async def create(self, *_: object) -> dict[str, Any]:
            raise ApiError(Failure(message="connection refused"))

    found = admission(core_with(gateway("edge")), Away())
    with pytest.raises(RefusedError) as none:
        await found.identify("")
    assert none.value.code == "unproven"
    with pytest.raises(RefusedError) as unasked:
        await found.identify("a.b.c")
    assert unasked.value.code == "unavailable"


def test_a_gateway_is_sent_the_secrets_that_it_uses_and_no_others() -> None:
    names = ("edge", "inner")
    core = core_with(
        CLASS,
        *(gateway(each) for each in names),
        *(secret(f"{each}-tls") for each in (*names, "unused")),
    )
    sent = {
        (key.proxy.name, key.name)
        for key in core.pipeline.snapshot.keys()  # noqa: SIM118  a collection, not a dictionary
        if key.type is ResourceType.SECRET
    }
    of = {each: {name for proxy, name in sent if proxy == each} for each in names}
    assert all("edge-tls" in name for name in of["edge"])
    assert all("inner-tls" in name for name in of["inner"])
    assert of["edge"]
    assert of["inner"]
