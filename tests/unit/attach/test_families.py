"""In a cluster a waypoint listens by both families, and lacks nothing where a Pod has one."""

from __future__ import annotations

import pytest

from serai.api.core import Service
from serai.api.gateway import Gateway, GatewayClass, GatewayClassSpec, GatewaySpec, Listener
from serai.api.meta import Key, ObjectMeta
from serai.app.core import Core
from serai.attach.gateways import CONTROLLER
from serai.ir.origin import Origin
from serai.model.settings import Settings
from serai.status.values import GatewayStatus
from serai.translate.collections import Named
from serai.xds.refusals import Refusal
from serai.xds.resource import ResourceKey, ResourceType
from serai.xds.snapshot import SnapshotKey

GATEWAY = Key("Gateway", "shop", "waypoint")


def world(settings: Settings) -> Core:
    core = Core(settings)
    listeners = (
        Listener(name="beside", port=15088, protocol="istio.io/PROXY"),
        Listener(name="mesh", port=15008, protocol="HBONE"),
    )
    of_class = GatewayClass(
        metadata=ObjectMeta(name="serai-waypoint"),
        spec=GatewayClassSpec(controller_name=CONTROLLER),
    )
    gateway = Gateway(
        metadata=ObjectMeta(name="waypoint", namespace="shop"),
        spec=GatewaySpec(gateway_class_name="serai-waypoint", listeners=listeners),
    )
    core.apply([of_class, gateway], ())
    return core


def listening(core: Core) -> dict[str, tuple[str, ...]]:
    found = core.pipeline.translated.listeners.items()
    return {row.name: row.addresses for _, row in found if row.addresses}


def test_each_family_has_a_listener_of_its_own() -> None:
    assert listening(world(Settings(standalone=False))) == {
        "proxy_protocol_inbound": ("127.0.0.1",),
        "proxy_protocol_inbound~ipv6": ("::1",),
        "connect_terminate": ("0.0.0.0",),
        "connect_terminate~ipv6": ("::",),
    }


def test_only_what_it_was_told() -> None:
    told = Settings(standalone=False, proxy_bind=("::1",), hbone_bind=("10.0.0.1", "10.0.0.2"))
    assert listening(world(told)) == {
        "proxy_protocol_inbound": ("::1",),
        "connect_terminate": ("10.0.0.1", "10.0.0.2"),
    }


@pytest.mark.parametrize(
    ("listener", "programmed", "severity"),
    [
        ("proxy_protocol_inbound~ipv6", "True", "warning"),
        ("proxy_protocol_inbound", "False", "error"),
    ],
)
def test_a_pod_without_ipv6_is_told(listener: str, programmed: str, severity: str) -> None:
    core = world(Settings(standalone=False))
    row = core.pipeline.translated.listeners.row(Named(GATEWAY, listener))
    assert row is not None
    resource = ResourceKey(ResourceType.LISTENER, listener)
    refusal = Refusal(resource, "cannot bind: Cannot assign requested address", (Origin(GATEWAY),))
    core.pipeline.refusals.put(SnapshotKey(GATEWAY, *resource), refusal)
    core.commit()
    status = core.pipeline.statuses.row(GATEWAY)
    assert isinstance(status, GatewayStatus)
    assert [each.status for each in status.conditions if each.type == "Programmed"] == [programmed]
    told = [problem for _, problem in core.pipeline.problems.items()]
    assert [(each.code, each.severity) for each in told] == [("SER0701", severity)]


def test_no_domain_is_written_into_the_program() -> None:
    core = world(Settings(standalone=False, cluster_domain="c.example", trust_domain="t.example"))
    service = Service(metadata=ObjectMeta(name="a", namespace="shop"))
    core.apply([service], ())
    found = core.pipeline.attached.catalog.services.row(service.key)
    assert found is not None
    assert found.hosts == ("a.shop.svc.c.example",)
    named = ResourceKey(ResourceType.LISTENER, "connect_terminate")
    resource = core.pipeline.snapshot.row(SnapshotKey(GATEWAY, *named))
    assert resource is not None
    assert b"spiffe://t.example/" in resource.body
    assert b"cluster.local" not in resource.body
