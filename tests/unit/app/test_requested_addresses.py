"""The addresses that a Gateway asks for.  Gateway API: GatewaySpec.addresses."""

from __future__ import annotations

from typing import Any

from serai.api.decode import decode
from serai.api.meta import Key, Object
from serai.app.core import Core
from serai.model.settings import Settings
from serai.status.values import GatewayStatus

GATEWAY = Key("Gateway", "shop", "edge")
HERE = ("127.4.0.1", "127.4.0.2", "::1")


ROUTE = {
    "parentRefs": [{"name": "edge"}],
    "rules": [{"backendRefs": [{"name": "none", "port": 53}]}],
}


def made(kind: str, version: str, name: str, spec: dict[str, Any]) -> Object:
    found = decode(
        {
            "apiVersion": f"gateway.networking.k8s.io/{version}",
            "kind": kind,
            "metadata": {"name": name, "namespace": "shop"},
            "spec": spec,
        }
    )
    assert found.object is not None, found.problems
    return found.object


def asking(*addresses: dict[str, Any]) -> GatewayStatus:
    core = Core(Settings(), lambda address: address in HERE or address == "127.0.0.1")
    spec = {
        "gatewayClassName": "serai",
        "addresses": list(addresses),
        "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
    }
    core.apply([made("Gateway", "v1", "edge", spec)])
    status = core.pipeline.statuses.row(GATEWAY)
    assert isinstance(status, GatewayStatus)
    return status


def said(status: GatewayStatus) -> dict[str, tuple[str, str]]:
    return {each.type: (each.status, each.reason) for each in status.conditions}


def listened_on(status: GatewayStatus) -> list[str]:
    return [each.value for each in status.addresses]


def test_each_address_of_this_machine_is_listened_on() -> None:
    status = asking(*({"type": "IPAddress", "value": each} for each in HERE))
    assert said(status)["Programmed"] == ("True", "Programmed")
    assert listened_on(status) == list(HERE)


def test_an_address_that_is_written_in_two_ways_is_listened_on_once() -> None:
    status = asking({"value": "0:0:0:0:0:0:0:1"}, {"value": "::1"})
    assert said(status)["Programmed"] == ("True", "Programmed")
    assert listened_on(status) == ["::1"]


def test_one_without_a_value_is_chosen_here() -> None:
    status = asking({"type": "IPAddress"})
    assert said(status)["Programmed"] == ("True", "Programmed")
    assert listened_on(status) == ["127.0.0.1"]


def test_one_that_cannot_be_listened_on_is_told() -> None:
    status = asking({"value": HERE[0]}, {"value": "192.0.2.1"})
    assert said(status)["Accepted"] == ("True", "Accepted")
    assert said(status)["Programmed"] == ("False", "AddressNotUsable")
    assert listened_on(status) == [HERE[0]]


def test_another_type_is_not_supported() -> None:
    status = asking({"type": "Hostname", "value": "a.example"})
    assert said(status)["Accepted"] == ("False", "UnsupportedAddress")
    assert said(status)["Programmed"][0] == "False"


def test_datagrams_are_not_listened_for_elsewhere() -> None:
    core = Core(Settings(), HERE.__contains__)
    spec = {
        "gatewayClassName": "serai",
        "addresses": [{"value": "192.0.2.1"}],
        "listeners": [{"name": "udp", "port": 53, "protocol": "UDP"}],
    }
    core.apply([made("Gateway", "v1", "edge", spec), made("UDPRoute", "v1alpha2", "r", ROUTE)])
    assert dict(core.pipeline.translated.listeners.items()) == {}
    there = {**spec, "addresses": [{"value": HERE[0]}]}
    core.apply([made("Gateway", "v1", "edge", there)])
    (listener,) = dict(core.pipeline.translated.listeners.items()).values()
    assert listener.addresses == HERE[:1]
