"""Edits between checks: what an API server makes of a patch, an apply, a deletion."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from conformance.world import Object, World

_STEP = re.compile(r"([A-Za-z]+)|\[(\d+)\]")
SLICES = ("ip4",)
"""Of manual EndpointSlices, those of the family that pods have here."""

Hand = Callable[[World], None]


def _listener(name: str, hostname: str | None) -> Object:
    found: Object = {
        "name": name,
        "port": 80,
        "protocol": "HTTP",
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    return {**found, "hostname": hostname} if hostname else found


def _spec(kind: str, name: str, edit: Callable[[Object], None]) -> Hand:
    def hand(world: World) -> None:
        (obj,) = (each for key, each in world.objects.items() if (key[0], key[2]) == (kind, name))
        edit(obj["spec"])
        world.edited(obj)

    return hand


def _without(field: str, unwanted: Callable[[Object], bool]) -> Callable[[Object], None]:
    def edit(spec: Object) -> None:
        spec[field] = [each for each in spec[field] if not unwanted(each)]

    return edit


def _with(field: str, more: Object) -> Callable[[Object], None]:
    return lambda spec: spec[field].append(more)


BY_HAND: dict[str, tuple[Hand, ...]] = {
    "GatewayModifyListeners": (
        _spec(
            "Gateway",
            "gateway-add-listener",
            _with("listeners", _listener("http", "data.test.com")),
        ),
        _spec(
            "Gateway",
            "gateway-remove-listener",
            _without("listeners", lambda each: bool(each["name"] == "https")),
        ),
    ),
    "GatewayObservedGenerationBump": (
        _spec(
            "Gateway",
            "gateway-observed-generation-bump",
            _with("listeners", _listener("alternate", "foo.com")),
        ),
    ),
    "GatewayStaticAddresses": (
        _spec(
            "Gateway",
            "gateway-static-addresses",
            _without("addresses", lambda each: "type" in each),
        ),
        _spec(
            "Gateway",
            "gateway-static-addresses",
            lambda spec: spec.update(addresses=spec["addresses"][-1:]),
        ),
    ),
}
"""By test: its patches in order, where the data does not have all of them."""


class Edits:
    """The mutations of one test, in their order."""

    def __init__(self, case: dict[str, Any], world: World) -> None:
        self._case = case
        self._world = world
        self._hands = list(BY_HAND.get(case["shortName"], ()))
        self._waiting: list[tuple[str, Any]] = []

    def make(self, number: int) -> None:
        """Make one of them.  NotImplementedError for one that is not understood."""
        mutation = self._case["mutations"][number]
        match mutation["verb"]:
            case "Delete":
                self._world.delete(mutation["object"])
            case "Apply":
                for obj in mutation["objects"]:
                    self._world.apply(obj)
            case "set":
                self._waiting.append((mutation["field"], mutation["value"]))
            case "Patch" if self._hands:
                self._hands.pop(0)(self._world)
                self._waiting.clear()
            case "Patch":
                self._patch()
            case "populateEndpointSlices":
                self._populate(mutation["objects"])
            case _:
                raise NotImplementedError(mutation)

    def _patch(self) -> None:
        (named,) = self._case["routes"]
        (obj,) = (
            each
            for (_, namespace, name), each in self._world.objects.items()
            if (namespace, name) == (named["namespace"], named["name"])
        )
        for field, value in self._waiting:
            _set(obj, field, value)
        self._waiting.clear()
        self._world.edited(obj)

    def _populate(self, names: list[str]) -> None:
        for (kind, namespace, name), obj in list(self._world.objects.items()):
            if kind == "EndpointSlice" and name in names:
                pods = self._world.pods[namespace, "infra-backend-v1"]
                reached = pods if name.endswith(SLICES) else []
                obj["endpoints"] = [
                    {"addresses": [address], "conditions": {"ready": True}}
                    for _, address in reached
                ]
                self._world.edited(obj)


def _set(obj: Object, field: str, value: Any) -> None:
    """``mutate.Spec.Rules[0].BackendRefs[0].Name``, as Go writes it."""
    steps: list[str | int] = [
        int(index) if index else name[0].lower() + name[1:]
        for name, index in _STEP.findall(field.partition(".")[2])
    ]
    at: Any = obj
    for step in steps[:-1]:
        at = at[step]
    at[steps[-1]] = value
