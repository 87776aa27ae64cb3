"""Which transports a waypoint has: by its annotation, its listeners, or its class."""

import pytest

from serai.api.gateway import Gateway, GatewayClass, GatewayClassSpec, GatewaySpec, Listener
from serai.api.meta import ObjectMeta
from serai.attach.transports import HBONE, INBOUND_BINDING, PROXY, Transport, transports
from serai.model.settings import Settings

MESH = Listener(name="mesh", port=15008, protocol=HBONE)
BESIDE = Listener(name="proxy", port=15188, protocol=PROXY)
BY_HBONE, BY_PROXY = Transport(HBONE, 15008), Transport(PROXY, 15088)
IN_CLUSTER, HERE = Settings(standalone=False), Settings()


def waypoint(
    *listeners: Listener, binding: str = "", class_name: str = "serai-waypoint"
) -> Gateway:
    annotations = {INBOUND_BINDING: binding} if binding else {}
    return Gateway(
        metadata=ObjectMeta(name="w", namespace="shop", annotations=annotations),
        spec=GatewaySpec(gateway_class_name=class_name, listeners=listeners),
    )


def of_class(binding: str) -> GatewayClass:
    return GatewayClass(
        metadata=ObjectMeta(name="c", annotations={INBOUND_BINDING: binding}),
        spec=GatewayClassSpec(controller_name="serai.dev/gateway-controller"),
    )


@pytest.mark.parametrize(
    ("gateway", "gateway_class", "expected"),
    [
        (waypoint(), None, [BY_PROXY]),
        (waypoint(class_name="istio-waypoint"), None, [BY_HBONE]),
        (waypoint(MESH), None, [BY_HBONE]),
        (waypoint(BESIDE), None, [Transport(PROXY, 15188)]),
        (waypoint(MESH, BESIDE), None, [BY_HBONE, Transport(PROXY, 15188)]),
        (waypoint(MESH, binding="PROXY"), None, [BY_PROXY]),
        (waypoint(BESIDE, binding="PROXY"), None, [Transport(PROXY, 15188)]),
        (waypoint(MESH, binding="PROXY/15099"), None, [Transport(PROXY, 15099)]),
        (waypoint(BESIDE, binding="NONE"), None, [BY_HBONE]),
        (waypoint(binding="OTHER/1"), None, [BY_PROXY]),
        (waypoint(), of_class("NONE"), [BY_HBONE]),
        (waypoint(MESH), of_class("PROXY/15088"), [BY_HBONE]),
        (waypoint(binding="NONE"), of_class("PROXY/15088"), [BY_HBONE]),
    ],
)
def test_of_a_waypoint(
    gateway: Gateway, gateway_class: GatewayClass | None, expected: list[Transport]
) -> None:
    assert list(transports(gateway, gateway_class, IN_CLUSTER)) == expected


def test_on_one_machine_the_proxy_protocol_is_there_too() -> None:
    assert transports(waypoint(MESH), None, HERE) == (BY_HBONE, BY_PROXY)
    assert transports(waypoint(BESIDE), None, HERE) == (Transport(PROXY, 15188),)
