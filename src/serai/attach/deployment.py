"""How each Gateway asks to be deployed: its parameters over those of its class.

kgateway: maps are merged, what is in lists follows what the class has, all else replaces it.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

from serai.api.gateway import Gateway, GatewayClass, ParametersReference
from serai.api.gateway_parameters import GatewayParameters, GatewayParametersSpec
from serai.api.meta import Key
from serai.api.validate_gateway_parameters import check_gateway_parameters
from serai.attach.gateways import Proxy, Role
from serai.attach.listeners import Listening
from serai.attach.parameters import Tables, key_of, parameters
from serai.attach.transports import HBONE
from serai.attach.verdict import ACCEPTED, Verdict, refused
from serai.incremental import Derived, Graph, Node, Reader, mapped
from serai.ir.origin import Value

NOTHING = GatewayParametersSpec()
WISHES = "wishes of deployment"
"""The name of their collection."""


class Port(NamedTuple):
    """Where a Gateway is reached."""

    number: int
    protocol: Literal["TCP", "UDP"] = "TCP"
    tunnels: bool = False
    """Whether it takes HBONE."""


class Wish(Value, frozen=True):
    """How a Gateway's Envoys are to be deployed."""

    ports: tuple[Port, ...] = ()
    """Those of its listeners and of its ListenerSets', sorted."""

    verdict: Verdict = ACCEPTED
    """Where it is a no, what is deployed stays as it is."""
    spec: GatewayParametersSpec = NOTHING

    @property
    def self_managed(self) -> bool:
        """Whether somebody else deploys them."""
        return self.spec.self_managed is not None


def deployment_wishes(
    graph: Graph,
    proxies: Node[Key, Proxy],
    gateways: Node[Key, Gateway],
    classes: Node[Key, GatewayClass],
    listening: Listening,
    tables: Tables,
) -> Derived[Key, Wish]:
    """The wish of each Gateway of ours; `tables` are the objects that can be parameters."""

    def wish(reader: Reader, key: Key, proxy: Proxy) -> Wish | None:
        gateway = reader.get(gateways, key)
        if gateway is None:
            return None
        its_class = reader.get(classes, Key("GatewayClass", "", proxy.class_name))
        infrastructure = gateway.spec.infrastructure
        of_class = its_class.spec.parameters_ref if its_class else None
        own = infrastructure.parameters_ref if infrastructure else None
        ports = _ports(reader, key, listening)
        below = _asked(reader, tables, of_class, "")
        if isinstance(below, Verdict):
            whose = f"GatewayClass {proxy.class_name}"
            return Wish(ports, refused(below.reason, f"{whose}: {below.message}"))
        above = _asked(reader, tables, own, key.namespace)
        if isinstance(above, Verdict):
            return Wish(ports, above)
        spec = merged(below, above)
        fault = _fault(spec, proxy)
        return Wish(ports, refused("InvalidParameters", fault) if fault else ACCEPTED, spec)

    return mapped(graph, WISHES, proxies, wish)


def service_type(proxy: Proxy) -> str:
    """Of a Gateway's Service, unless it asks for another one."""
    return "ClusterIP" if proxy.role is Role.WAYPOINT else "LoadBalancer"


def _ports(reader: Reader, key: Key, listening: Listening) -> tuple[Port, ...]:
    states = reader.rows(listening.of_proxy, key, listening.states)
    found = {
        Port(
            each.listener.port,
            "UDP" if each.listener.protocol == "UDP" else "TCP",
            each.listener.protocol == HBONE,
        )
        for _, each in states
    }
    return tuple(sorted(found))


def merged(below: GatewayParametersSpec, above: GatewayParametersSpec) -> GatewayParametersSpec:
    """A class's parameters with a Gateway's over them."""
    if above.self_managed is not None or below == NOTHING:
        return above
    if above == NOTHING:
        return below
    plain = _merged(msgspec.to_builtins(below), msgspec.to_builtins(above))
    if above.kube is not None:
        plain.pop("selfManaged", None)
    return msgspec.convert(plain, GatewayParametersSpec)


def _merged(below: Any, above: Any) -> Any:
    if isinstance(below, dict) and isinstance(above, dict):
        if not _TOGETHER.isdisjoint(above):
            below = {name: each for name, each in below.items() if name not in _TOGETHER}
        return {
            **below,
            **{name: _merged(below.get(name), each) for name, each in above.items()},
        }
    if isinstance(below, list | tuple) and isinstance(above, list | tuple):
        return [*below, *above]
    return above


_TOGETHER = frozenset({"tag", "digest"})
"""Of an image: who says one says both."""


def _asked(
    reader: Reader, tables: Tables, reference: ParametersReference | None, namespace: str
) -> GatewayParametersSpec | Verdict:
    """What is asked for; a no where it cannot be told."""
    verdict = parameters(reader, tables, reference, namespace)
    if reference is None or not verdict.ok:
        return NOTHING if verdict.ok else verdict
    found = reader.get(tables[reference.group, reference.kind], key_of(reference, namespace))
    return found.spec if isinstance(found, GatewayParameters) else NOTHING


def _fault(spec: GatewayParametersSpec, proxy: Proxy) -> str:
    """What is wrong of it as a whole; empty if nothing is."""
    if spec == NOTHING:
        return ""
    found = check_gateway_parameters(spec, service_type(proxy))
    return next((each.message for each in found), "")
