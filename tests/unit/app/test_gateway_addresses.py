"""A Gateway's addresses in a cluster, from its Service."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import yaml

from serai.api.core import Service
from serai.api.decode import decode
from serai.api.meta import Key
from serai.app.core import Core
from serai.app.said import MOST_ADDRESSES, addresses_of, wanted_status
from serai.model.settings import Settings

GATEWAY = """
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: serai}
spec: {controllerName: serai.dev/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: infra}
spec:
  gatewayClassName: serai
  addresses: %s
  listeners: [{name: http, port: 80, protocol: HTTP}]
"""


def service(ingress: list[Any], **spec: Any) -> Service:
    return msgspec.convert(
        {
            "metadata": {"name": "edge", "namespace": "infra"},
            "spec": {"type": "LoadBalancer", "clusterIPs": ["10.0.0.1"], **spec},
            "status": {"loadBalancer": {"ingress": ingress}},
        },
        Service,
    )


@pytest.mark.parametrize(
    ("ingress", "found"),
    [
        ([], []),
        ([{"ip": "192.0.2.1"}, {"ip": "2001:db8::1"}], ["192.0.2.1", "2001:db8::1"]),
        ([{"hostname": "lb.example"}], ["Hostname lb.example"]),
        (
            [{"ip": "192.0.2.1", "hostname": "lb.example"}, {"hostname": "lb.example"}],
            ["192.0.2.1", "Hostname lb.example"],
        ),
    ],
)
def test_all_that_a_load_balancer_has(ingress: list[Any], found: list[str]) -> None:
    names = {"IPAddress": ""}
    shown = [
        f"{names.get(each.type, each.type)} {each.value}".strip()
        for each in addresses_of(service(ingress))
    ]
    assert shown == found


def test_no_more_than_a_status_takes() -> None:
    many = [{"ip": f"192.0.2.{number}"} for number in range(40)]
    assert len(addresses_of(service(many))) == MOST_ADDRESSES


def test_in_the_cluster_where_there_is_no_load_balancer() -> None:
    (address,) = addresses_of(service([], type="NodePort"))
    assert address.value == "10.0.0.1"
    assert addresses_of(service([], type="ClusterIP", clusterIPs=["None"])) == ()


@pytest.mark.parametrize(
    ("asked", "ingress", "reason"),
    [
        ("[]", [{"ip": "192.0.2.1"}], "Programmed"),
        ("[{value: 192.0.2.1}]", [{"ip": "192.0.2.1"}], "Programmed"),
        ("[{type: IPAddress}]", [{"hostname": "lb.example"}], "Programmed"),
        ("[{value: 192.0.2.1}]", [], "AddressNotAssigned"),
        ("[{value: 192.0.2.9}]", [{"ip": "192.0.2.1"}], "AddressNotUsable"),
        ("[{value: 192.0.2.1}, {value: 192.0.2.9}]", [{"ip": "192.0.2.1"}], "AddressNotUsable"),
        ("[{type: Hostname, value: lb.example}]", [{"hostname": "lb.example"}], "Invalid"),
    ],
)
def test_what_is_asked_for_is_had_or_told(asked: str, ingress: list[Any], reason: str) -> None:
    core = Core(Settings(standalone=False))
    objects = [decode(each).object for each in yaml.safe_load_all(GATEWAY % asked)]
    core.apply([each for each in objects if each] + [service(ingress)])
    status = wanted_status(core.pipeline, Key("Gateway", "infra", "edge"))
    assert status is not None
    (programmed,) = (each for each in status["conditions"] if each["type"] == "Programmed")
    assert programmed["reason"] == reason
