"""The suite's helpers that look at statuses, by their names.  Each gives what is wrong.

Gateway API: conformance/utils/kubernetes/helpers.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from conformance.world import CONTROLLER, World

GROUP = "gateway.networking.k8s.io"
EXCLUDED = "gateway-api/skip-this-for-readiness"
TRUE = [{"type": kind, "status": "True"} for kind in ("ResolvedRefs", "Accepted", "Programmed")]

Named = dict[str, str]
Conditions = list[dict[str, Any]]
Lookup = Callable[[str, str, str], dict[str, Any]]
"""The status of an object; empty if it has none."""

_ROUTE = re.compile(r"(HTTP|GRPC|TLS|TCP|UDP)Route(?:s)?Must(.*)")
_ACCEPTED = re.compile(r"GatewayAnd(?:(HTTP|GRPC|TLS|TCP|UDP)Routes|Routes)MustBeAccepted")


class Statuses:
    """What a test's world says of its objects."""

    def __init__(self, world: World, lookup: Lookup) -> None:
        self._world = world
        self._lookup = lookup

    def check(self, check: dict[str, Any]) -> list[str]:
        """What is wrong by one of the suite's helpers.  NotImplementedError for an unknown one."""
        return list(self._check(check))

    def _check(self, check: dict[str, Any]) -> Iterator[str]:
        name = check["check"]
        route = _ROUTE.fullmatch(name)
        accepted = _ACCEPTED.fullmatch(name)
        if name.startswith("allGatewaysInNamespaces"):
            yield from self._all_ready(check["namespaces"])
        elif accepted:
            yield from self._routes_accepted(check, accepted[1])
        elif name == "RoutesAndParentMustBeAccepted":
            parent = check["resource"]
            yield from self._accepted(parent["kind"], parent, check)
        elif name.startswith("BackendTLSPolicy"):
            yield from self._policy(check, name)
        elif name.startswith("ListenerSet"):
            yield from self._listener_set(check, name)
        elif route:
            yield from self._route(check, f"{route[1]}Route", route[2])
        else:
            yield from self._gateway(check, name)

    # What all have in common.

    def _status(self, kind: str, named: Named) -> dict[str, Any]:
        return self._lookup(kind, named.get("namespace", ""), named["name"])

    def _stale(self, kind: str, named: Named, conditions: Conditions) -> Iterator[str]:
        obj = self._world.get(kind, named.get("namespace", ""), named["name"])
        generation = obj["metadata"]["generation"]
        for each in conditions:
            if each.get("observedGeneration") != generation:
                yield (
                    f"{kind} {named['name']}: {each['type']} has observed generation"
                    f" {each.get('observedGeneration')}, not {generation}"
                )

    def _have(self, where: str, conditions: Conditions, wanted: Conditions) -> Iterator[str]:
        for each in wanted:
            found = [one for one in conditions if one["type"] == each["type"]]
            if not any(
                (not each.get("status") or one["status"] == each["status"])
                and (not each.get("reason") or one["reason"] == each["reason"])
                for one in found
            ):
                seen = [f"{one['status']}/{one['reason']}" for one in found] or "none"
                yield (
                    f"{where}: {each['type']} is {seen},"
                    f" not {each.get('status')}/{each.get('reason') or 'any'}"
                )

    # Gateways.

    def _all_ready(self, namespaces: list[str]) -> Iterator[str]:
        for (kind, namespace, name), obj in self._world.objects.items():
            excluded = obj["metadata"].get("annotations", {}).get(EXCLUDED) == "true"
            if kind == "Gateway" and namespace in namespaces and not excluded:
                named = {"namespace": namespace, "name": name}
                conditions = self._status("Gateway", named).get("conditions", [])
                yield from self._stale("Gateway", named, conditions)
                wanted = [{"type": each, "status": "True"} for each in ("Accepted", "Programmed")]
                yield from self._have(f"Gateway {name}", conditions, wanted)

    def _gateway(self, check: dict[str, Any], name: str) -> Iterator[str]:
        is_class = name.startswith("GatewayClass")
        kind = "GatewayClass" if is_class else "Gateway"
        named = check["gatewayClass" if is_class else "gateway"]
        status = self._status(kind, named)
        where = f"{kind} {named['name']}"
        conditions = status.get("conditions", [])
        yield from self._stale(kind, named, conditions)
        match name:
            case "GatewayMustHaveLatestConditions" | "GatewayClassMustHaveLatestConditions":
                if not conditions:
                    yield f"{where} has no condition"
            case "GatewayMustHaveCondition":
                yield from self._have(where, conditions, check["conditions"])
            case "WaitForGatewayAddress":
                yield from self._address(named, status)
            case "GatewayStatusMustHaveListeners":
                yield from self._listeners(where, check["expectedListeners"], status)
            case "GatewayListenerMustHaveConditions":
                yield from self._these(where, status, [check["lName"]], check["conditions"])
            case "GatewayListenersMustHaveConditions":
                names = check.get("listenerNames") or []
                yield from self._these(where, status, names, check["conditions"])
            case "GatewayMustHaveZeroRoutes":
                yield from self._zero(where, status)
            case "GatewayMustHaveAttachedListeners":
                yield from self._sets(where, status, check["expectedCount"])
            case _:
                raise NotImplementedError(name)

    def _sets(self, where: str, status: dict[str, Any], wanted: int) -> Iterator[str]:
        if status.get("attachedListenerSets", 0) != wanted:
            yield f"{where}: {status.get('attachedListenerSets')} ListenerSets, not {wanted}"

    def _zero(self, where: str, status: dict[str, Any]) -> Iterator[str]:
        listeners = status.get("listeners", [])
        if listeners and (len(listeners) > 1 or listeners[0]["attachedRoutes"]):
            yield f"{where}: {[each['attachedRoutes'] for each in listeners]} routes, not 0"

    def _address(self, named: Named, status: dict[str, Any]) -> Iterator[str]:
        if not any(each.get("type") for each in status.get("addresses", [])):
            yield f"Gateway {named['name']} has no address with a type"

    def _these(
        self, where: str, status: dict[str, Any], names: list[str], wanted: Conditions
    ) -> Iterator[str]:
        listeners = status.get("listeners", [])
        seen = {each["name"] for each in listeners}
        yield from (f"{where}: no status of listener {name}" for name in names if name not in seen)
        for each in listeners:
            if not names or each["name"] in names:
                yield from self._have(f"{where}/{each['name']}", each["conditions"], wanted)

    def _listeners(
        self, where: str, wanted: list[dict[str, Any]], status: dict[str, Any]
    ) -> Iterator[str]:
        actual = {each["name"]: each for each in status.get("listeners", [])}
        if len(wanted) != len(status.get("listeners", [])):
            yield f"{where}: listeners {sorted(actual)}, not {[each['name'] for each in wanted]}"
        for each in wanted:
            found = actual.get(each["name"])
            if found is None:
                yield f"{where}: no status of listener {each['name']}"
                continue
            yield from self._listener(f"{where}/{each['name']}", each, found)

    def _listener(self, where: str, wanted: dict[str, Any], found: dict[str, Any]) -> Iterator[str]:
        kinds = {(each.get("group", GROUP), each["kind"]) for each in found["supportedKinds"]}
        asked = {(each.get("group", GROUP), each["kind"]) for each in wanted["supportedKinds"]}
        if not asked <= kinds or (kinds and not asked):
            yield f"{where}: kinds {sorted(kinds)}, not {sorted(asked)}"
        if found["attachedRoutes"] != wanted["attachedRoutes"]:
            yield f"{where}: {found['attachedRoutes']} routes, not {wanted['attachedRoutes']}"
        yield from self._have(where, found["conditions"], wanted["conditions"])

    # ListenerSets.

    def _listener_set(self, check: dict[str, Any], name: str) -> Iterator[str]:
        named = check["listenerSet"]
        status = self._status("ListenerSet", named)
        where = f"ListenerSet {named['name']}"
        conditions = status.get("conditions", [])
        yield from self._stale("ListenerSet", named, conditions)
        match name:
            case "ListenerSetMustHaveCondition":
                yield from self._have(where, conditions, check["conditions"])
            case "ListenerSetListenersMustHaveConditions":
                names = check.get("listenerNames") or []
                yield from self._these(where, status, names, check["conditions"])
            case "ListenerSetStatusMustHaveListeners":
                yield from self._listeners(where, check["expectedListeners"], status)
            case _:
                raise NotImplementedError(name)

    # Routes.

    def _routes_accepted(self, check: dict[str, Any], kind: str | None) -> Iterator[str]:
        named = check["gateway"]
        status = self._status("Gateway", named)
        yield from self._stale("Gateway", named, status.get("conditions", []))
        yield from self._address(named, status)
        route_kind = f"{kind}Route" if kind else check["routeKind"]
        yield from self._accepted("Gateway", named, {**check, "routeKind": route_kind})

    def _accepted(self, kind: str, parent: Any, check: dict[str, Any]) -> Iterator[str]:
        for named in check["routes"]:
            for listener in check.get("listeners") or parent.get("listeners") or [None]:
                reference = {"group": GROUP, "kind": kind, "name": parent["name"]}
                reference["namespace"] = parent["namespace"]
                wanted = {
                    "parentRef": {**reference, "sectionName": listener},
                    "controllerName": CONTROLLER,
                    "conditions": [{"type": "Accepted", "status": "True", "reason": "Accepted"}],
                }
                required = named["namespace"] != parent["namespace"]
                yield from self._parents(check["routeKind"], named, [wanted], required=required)
        if (
            check["routeKind"] != "TLSRoute"
            or check["check"] != "GatewayAndTLSRoutesMustBeAccepted"
        ):
            status = self._status(kind, parent)
            yield from self._these(f"{kind} {parent['name']}", status, [], TRUE)

    def _parents(
        self, kind: str, named: Named, wanted: list[dict[str, Any]], *, required: bool
    ) -> Iterator[str]:
        actual = self._status(kind, named).get("parents", [])
        for each in actual:
            yield from self._stale(kind, named, each["conditions"])
        for each in wanted:
            controller = each["controllerName"].replace("{controllerName}", CONTROLLER)
            if not any(
                one["controllerName"] == controller
                and _same_parent(each["parentRef"], one["parentRef"], required=required)
                and not list(self._have("", one["conditions"], each["conditions"]))
                for one in actual
            ):
                yield f"{kind} {named['name']}: no parent as {each}; {actual}"

    def _route(self, check: dict[str, Any], kind: str, must: str) -> Iterator[str]:
        named = check["route"]
        parents = self._status(kind, named).get("parents", [])
        for each in parents:
            yield from self._stale(kind, named, each["conditions"])
        where = f"{kind} {named['name']}"
        match must:
            case "HaveLatestConditions":
                if not parents:
                    yield f"{where} has no parent"
            case "HaveParents":
                required = check["namespaceRequired"]
                yield from self._parents(kind, named, check["expectedParents"], required=required)
            case "HaveNoAcceptedParents":
                if len(parents) > 1:
                    yield f"{where}: {len(parents)} parents, not one at most"
                for each in parents:
                    wanted = [{"type": "Accepted", "status": "False"}]
                    yield from self._have(where, each["conditions"], wanted)
            case "HaveCondition" | "HaveResolvedRefsConditionsTrue":
                resolved = [{"type": "ResolvedRefs", "status": "True", "reason": "ResolvedRefs"}]
                wanted = check.get("conditions") or resolved
                yield from self._of_parent(where, check["gateway"], parents, wanted)
            case _:
                raise NotImplementedError(check["check"])

    def _of_parent(
        self, where: str, gateway: Named, entries: list[dict[str, Any]], wanted: Conditions
    ) -> Iterator[str]:
        found = [
            list(self._have(where, each["conditions"], wanted))
            for each in entries
            if _refers(each.get("parentRef") or each["ancestorRef"], gateway)
        ]
        if not found:
            yield f"{where} has nothing of {gateway['name']}; {entries}"
        elif all(found):
            yield from found[0]

    # Policies.

    def _policy(self, check: dict[str, Any], name: str) -> Iterator[str]:
        named = check["policy"]
        ancestors = self._status("BackendTLSPolicy", named).get("ancestors", [])
        for each in ancestors:
            yield from self._stale("BackendTLSPolicy", named, each["conditions"])
        if name == "BackendTLSPolicyMustHaveLatestConditions":
            if not ancestors:
                yield f"BackendTLSPolicy {named['name']} has no ancestor"
            return
        accepted = [{"type": "Accepted", "status": "True", "reason": "Accepted"}]
        wanted = check.get("conditions") or accepted
        where = f"BackendTLSPolicy {named['name']}"
        yield from self._of_parent(where, check["gateway"], ancestors, wanted)


def _same_parent(wanted: dict[str, Any], actual: dict[str, Any], *, required: bool) -> bool:
    """Group and kind must be there as an API server fills them in; section names upstream skips."""
    same = all(actual.get(field) == wanted.get(field) for field in ("group", "kind", "name"))
    namespace = actual.get("namespace")
    return same and (namespace == wanted["namespace"] or (not required and namespace is None))


def _refers(reference: dict[str, Any], gateway: Named) -> bool:
    namespace = reference.get("namespace")
    return reference["name"] == gateway["name"] and namespace in {None, gateway["namespace"]}
