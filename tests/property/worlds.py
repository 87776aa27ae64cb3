"""Random worlds: objects of every kind that meet, and small edits of them."""

from __future__ import annotations

from hypothesis import strategies as st
from msgspec.structs import replace

from property.backend_bodies import BACKEND_BODIES
from property.bodies import BODIES, NAMES, NAMESPACES, Raw, ages, gateways
from property.route_bodies import ROUTE_BODIES
from property.token_bodies import TOKEN_BODIES
from serai.api.decode import decode
from serai.api.gateway import Gateway, GatewayAddress
from serai.api.kinds import KINDS, by_kind
from serai.api.meta import Key, Object
from serai.api.networking import ServiceEntry, ServiceEntryAddress, ServiceEntryStatus
from serai.api.security import AuthorizationPolicy
from serai.api.traffic_policy import TrafficPolicy
from serai.api.unread import Unread
from serai.ir.cluster import Locality
from serai.ir.distribution import REGION
from serai.ir.viewpoint import Viewpoint
from serai.model.distribution import ANNOTATION

ALL_BODIES = {**BODIES, **BACKEND_BODIES, **ROUTE_BODIES, **TOKEN_BODIES}


def _names_of(kind: str) -> tuple[str, ...]:
    return {"Namespace": NAMESPACES, "GatewayClass": (*NAMES, "serai")}.get(kind, NAMES)


KIND_NAMES = tuple(kind.name for kind in KINDS)
OFTEN = (*KIND_NAMES, *("Service", "ServiceEntry", "HTTPRoute") * 4, *("Pod", "WorkloadEntry") * 2)


@st.composite
def keys(draw: st.DrawFn) -> Key:
    """The identity that an object may have."""
    kind = by_kind(draw(st.sampled_from(OFTEN)))
    assert kind is not None
    namespace = draw(st.sampled_from(NAMESPACES)) if kind.namespaced else ""
    return Key(kind.name, namespace, draw(st.sampled_from(_names_of(kind.name))))


@st.composite
def objects(draw: st.DrawFn) -> Object:
    """An object of any kind, sound enough to be decoded."""
    key = draw(keys())
    edge = key.kind == "Gateway"
    return built(
        key, draw(gateways(key.namespace, key.name) if edge else ALL_BODIES[key.kind]), draw(ages)
    )


def built(key: Key, body: Raw, metadata: Raw) -> Object:
    """The object of a manifest that must be sound."""
    kind = by_kind(key.kind)
    assert kind is not None
    metadata = {"name": key.name, **metadata}
    metadata |= {field: body[field] for field in ("labels", "annotations") if field in body}
    if kind.namespaced:
        metadata["namespace"] = key.namespace
    rest = {name: value for name, value in body.items() if name not in {"labels", "annotations"}}
    raw = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, **rest}
    decoded = decode(raw)
    errors = [problem for problem in decoded.problems if problem.severity == "error"]
    assert decoded.object is not None, (raw, errors)
    return decoded.object


def _ground() -> list[Object]:
    """A waypoint that both namespaces use, and a gateway."""
    listeners = {
        "x": [{"name": "mesh", "port": 20000, "protocol": "istio.io/PROXY"}],
        "y": [{"name": "l0", "port": 20010, "protocol": "HTTP"}],
    }
    open_to_all = {"allowedRoutes": {"namespaces": {"from": "All"}}}
    labels = {"istio.io/use-waypoint": "x", "istio.io/use-waypoint-namespace": "blue"}
    return [
        *(built(Key("Namespace", "", each), {"labels": labels}, {}) for each in NAMESPACES),
        *(
            built(
                Key("Gateway", "blue", name),
                {
                    "spec": {
                        "gatewayClassName": "serai-waypoint" if name == "x" else "serai",
                        "listeners": [{**each, **open_to_all} for each in listeners[name]],
                    }
                },
                {},
            )
            for name in NAMES
        ),
    ]


PLACES = tuple(
    (f"blue/{name}", Viewpoint(Locality("eu", zone), network))
    for name in NAMES
    for zone, network in (("a", ""), ("b", "n1"))
)
"""Where clients of the ground's gateways may be."""

EDITS = ("label", "unlabel", "age", "addresses", "near", "place", "break")


def edited(held: Object, edit: str) -> Object:
    """An object with one small thing changed."""
    metadata = held.metadata
    match edit:
        case "label":
            labels = {**metadata.labels, "istio.io/use-waypoint": "y", "tier": "t", "app": "b"}
            return replace(held, metadata=replace(metadata, labels=labels))
        case "unlabel":
            return replace(held, metadata=replace(metadata, labels={}))
        case "near":
            asked = {**metadata.annotations, ANNOTATION: "PreferSameZone"}
            return replace(held, metadata=replace(metadata, annotations=asked))
        case "place":
            labels = {**metadata.labels, "topology.istio.io/locality": "eu.b", REGION: "us"}
            return replace(held, metadata=replace(metadata, labels=labels))
        case "age":
            aged = replace(metadata, creation_timestamp="2025-01-01T00:00:00Z")
            return replace(held, metadata=aged)
        case "break" if isinstance(held, AuthorizationPolicy | TrafficPolicy):
            return Unread(metadata, held.key.kind, None if metadata.labels else {"targetRefs": []})
        case _ if isinstance(held, Gateway):
            moved = () if held.spec.addresses else (GatewayAddress("127.0.0.8"),)
            return replace(held, spec=replace(held.spec, addresses=moved))
        case _ if isinstance(held, ServiceEntry):
            given = ServiceEntryAddress("127.80.0.2", held.spec.hosts[0])
            return replace(held, status=ServiceEntryStatus((given,)))
        case _:
            return held


worlds = st.tuples(st.sampled_from([0, 1, 2]), st.lists(objects(), min_size=6, max_size=16)).map(
    lambda drawn: [*(_ground() if drawn[0] else []), *drawn[1]]
)
"""Objects of which most hang together; a later one replaces an earlier one of its identity."""
