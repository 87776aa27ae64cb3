"""Names that Envoy sees: no two things share one, and none is longer than it may be."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from serai.api.meta import Key
from serai.attach.frontends import FrontendKey
from serai.model.service import BackendKey
from serai.translate import names

# Few and short, so that their parts, put together otherwise, come to the same letters.
parts = st.text("a1-.", min_size=1, max_size=3)
long = st.sampled_from([60, 120, 200, 240, 253]).map(lambda size: "a" * size)
objects = st.one_of(parts, long, long.map("{}b".format))
namespaces = st.text("a1-", min_size=1, max_size=3)
hosts = st.one_of(parts, long, parts.map("*.{}".format), parts.map("*{}".format), st.just("*"))
ports = st.sampled_from([1, 8, 80, 808, 65535])
keys = st.builds(Key, st.sampled_from(["Service", "ServiceEntry"]), namespaces, objects)


def _backend(service: Key, host: str, port: int) -> BackendKey:
    own = f"{service.name}.{service.namespace}.svc.cluster.local"
    return BackendKey(service, own if service.kind == "Service" else host, port)


backends = st.builds(_backend, keys, hosts, ports)
gateways = st.builds(Key, st.just("Gateway"), namespaces, objects)
frontends = st.builds(FrontendKey, gateways, keys, ports, st.one_of(st.just(""), hosts))


def _twins(service: Key) -> set[Key]:
    """An object and those most like it: of the other kind, and with its parts put otherwise."""
    kind = "Service" if service.kind == "ServiceEntry" else "ServiceEntry"
    head, _, tail = service.name.partition("-")
    return {
        service,
        Key(kind, service.namespace, service.name),
        Key(service.kind, service.namespace, f"{service.name}-{service.namespace}"),
        Key(service.kind, f"{service.namespace}-{head}", tail or head),
        Key(service.kind, service.namespace, f"{service.name}b"),
    }


def _like(found: set[BackendKey]) -> set[BackendKey]:
    return {
        _backend(service, each.host, port)._replace(udp=udp)
        for each in found
        for service in _twins(each.service)
        for port in (each.port, each.port % 6553 * 10 + 1)
        for udp in (False, True)
    }


def _ports_like(found: set[FrontendKey]) -> set[FrontendKey]:
    return {
        each._replace(service=service, host=host)
        for each in found
        for service in _twins(each.service)
        for host in ("", each.host, service.name)
    }


def _distinct(named: dict[object, str]) -> None:
    shared = [(one, two) for one, two in combinations(named, 2) if named[one] == named[two]]
    assert not shared
    assert all(len(name) <= names.MAX_LENGTH for name in named.values())


@given(st.sets(backends, max_size=3), st.sets(frontends, max_size=2))
def test_no_two_clusters_share_a_name(found: set[BackendKey], ports: set[FrontendKey]) -> None:
    named: dict[object, str] = {each: names.cluster(each) for each in _like(found)}
    # Names are those of one proxy.
    switches = {each._replace(waypoint=Key("Gateway", "a", "a")) for each in _ports_like(ports)}
    named |= {each: names.sni_switch(each) for each in switches}
    _distinct(named)


@given(st.sets(backends, max_size=3))
def test_no_two_clusters_share_istios_name(found: set[BackendKey]) -> None:
    found = _like(found)
    owners = {(each.host, each.port): each for each in sorted(found)}
    named: dict[object, str] = {
        each: names.istio_cluster(each, owner=owners[each.host, each.port] == each)
        for each in found
    }
    _distinct(named)


@given(st.sets(frontends, max_size=3), gateways, st.sets(ports))
def test_no_two_ports_of_a_proxy_share_routes_or_chains(
    found: set[FrontendKey], gateway: Key, listened: set[int]
) -> None:
    of_one = {each._replace(waypoint=gateway) for each in _ports_like(found)}
    named: dict[object, str] = {
        (each, http): names.frontend(each, http=http) for each in of_one for http in (True, False)
    }
    named |= {port: names.gateway_routes(gateway, port) for port in listened}
    named |= {(each, "sni"): names.sni_switch(each) for each in of_one}
    _distinct(named)


addresses = st.one_of(
    st.ip_addresses().map(str), st.sampled_from(["10.0.0.0/8", "fd00::/64", "10.0.0.1", "::1"])
)


@given(st.sets(st.tuples(addresses, ports), max_size=3), st.sets(ports))
def test_no_two_listeners_or_scopes_share_a_name(
    found: set[tuple[str, int]], listened: set[int]
) -> None:
    named: dict[object, str] = {each: names.loopback_listener(*each) for each in found}
    named |= {port: names.gateway_listener(port) for port in listened}
    named["waypoint"] = names.WAYPOINT_LISTENER
    _distinct(named)
    _distinct({each: names.scope(*each) for each in found})


@given(st.sets(backends, max_size=3))
def test_no_two_clusters_share_their_stats(found: set[BackendKey]) -> None:
    found = _like(found)
    owners = {(each.host, each.port): each for each in sorted(found)}
    named: dict[object, str] = {
        each: names.alt_stat_name(each, owner=owners[each.host, each.port] == each)
        for each in found
    }
    _distinct(named)
    assert all(name.endswith(";") and ";" not in name[:-1] for name in named.values())
