"""Tables of gateways with many hosts: what one change makes again, and what becomes of sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import pytest

from property.bodies import Raw
from property.counted import gateway, of, reference, secret, service, vip
from serai.api.meta import Key, Object
from serai.app.core import Committed, Core
from serai.model.settings import Settings
from serai.translate.division import LEAST, PARTS, part_of
from serai.xds.encode.route import encode_routes
from serai.xds.references import references
from serai.xds.resource import ResourceType
from serai.xds.snapshot import SnapshotKey

EDGE = Key("Gateway", "shop", "edge")
HTTP, TLS = "http_gateway_20080_edge_shop", "tls_gateway_20443_https_edge_shop"
MANY = 3_000


def host(number: int) -> str:
    return f"r{number}.edge.example"


def at_edge(number: int, said: str = "", *hosts: str, port: str = "http") -> Object:
    """A route at one listener of the edge, of a host of its own."""
    headers = {"set": [{"name": "x-said", "value": said or "first"}]}
    rule: Raw = {
        "filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": headers}],
        "backendRefs": [{**reference("p0"), "port": 80}],
    }
    parent = {**reference("edge"), "sectionName": port}
    spec: Raw = {
        "parentRefs": [parent],
        "hostnames": list(hosts) or [host(number)],
        "rules": [rule],
    }
    return of("HTTPRoute", f"{port}-{number}", {"spec": spec})


def policy(kind: str, spec: Raw, route: str) -> Object:
    target = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": route}
    return of(kind, "asks", {"spec": {"targetRefs": [target], **spec}})


def edge(hosts: Iterable[int]) -> Iterator[Object]:
    yield of("Namespace", "shop", {})
    yield gateway("edge")
    yield secret("first")
    yield from service(0, vip(0, 2))
    yield from map(at_edge, hosts)


def core_of(hosts: Iterable[int]) -> Core:
    core = Core(Settings())
    core.apply(edge(hosts))
    assert not core.pipeline.problems
    return core


def sent(committed: Committed) -> dict[str, bool]:
    """``TYPE name`` of what is sent, and whether it is there."""
    found = committed.resources.get("shop/edge", {})
    return {f"{key.type.name} {key.name}": each is not None for key, each in found.items()}


def everything(core: Core) -> dict[SnapshotKey, tuple[bytes, object, object]]:
    items = core.pipeline.snapshot.items()
    return {key: (each.body, each.origins, references(each)) for key, each in items}


def part(number: int, table: str = HTTP) -> str:
    return f"{table}~{part_of(host(number))}"


@pytest.mark.parametrize(
    "written", ["r7.edge.example", "R7.Edge.EXAMPLE", "r7.edge.example:8080", "r7.edge.example:"]
)
def test_case_and_port_make_no_difference(written: str) -> None:
    assert part_of(written) == part_of("r7.edge.example")


@pytest.mark.parametrize(
    "pattern", ["r{}.example.com", "host-{:04}.example.com", "{}.tenants.example", "{:x}.org"]
)
def test_parts_are_about_as_large_as_each_other(pattern: str) -> None:
    sizes = Counter(part_of(pattern.format(number)) for number in range(MANY))
    assert len(sizes) == PARTS
    assert max(sizes.values()) <= 1.5 * MANY / PARTS


def test_one_route_among_thousands_sends_its_part_alone() -> None:
    core = core_of(range(MANY))
    found = sent(core.apply([at_edge(7, "second")]))
    assert found == {f"ROUTES {part(7)}": True}
    found = sent(core.apply([at_edge(MANY)]))
    assert found == {f"ROUTES {part(MANY)}": True}
    hosts = core.pipeline.translated.routed.of_gateways
    sizes = [len(each.virtual_hosts) for key, each in hosts.items() if f"{HTTP}~" in key.name]
    assert len(sizes) == PARTS
    assert max(sizes) <= 1.5 * MANY / PARTS
    found = sent(core.apply([], [at_edge(MANY).key]))
    assert found == {f"ROUTES {part(MANY)}": True}


def test_a_wildcard_is_in_every_part() -> None:
    core = core_of(range(LEAST))
    found = sent(core.apply([at_edge(-1, "", "*.wild.example")]))
    assert found == {f"ROUTES {HTTP}~{number}": True for number in range(PARTS)}


def test_a_table_is_divided_when_it_is_worth_it_and_no_listener_ever_changes() -> None:
    core = core_of(range(LEAST - 1))
    parts = {f"{HTTP}~{number}": "" for number in range(PARTS)}
    comes = sent(core.apply([at_edge(LEAST - 1)]))
    routes = {f"ROUTES {each}": True for each in (HTTP, *parts)}
    assert comes == routes | {f"SCOPE {each}": True for each in parts}
    goes = sent(core.apply([], [at_edge(0).key]))
    assert goes == {each: each == f"ROUTES {HTTP}" for each in comes}


def test_a_table_with_many_wildcards_stays_whole() -> None:
    core = core_of(range(LEAST))
    wild = [at_edge(-each, "", f"*.w{each}.example") for each in range(1, LEAST // PARTS + 1)]
    core.apply(wild[:-1])
    found = sent(core.apply(wild[-1:]))
    assert found[f"ROUTES {HTTP}"] and not found[f"ROUTES {HTTP}~0"]


@pytest.mark.parametrize(
    "asked",
    [
        {"tracing": {"randomSampling": 10}},
        {"internalRedirect": {"redirectResponseCodes": [302]}},
    ],
    ids=lambda each: next(iter(each)),
)
def test_what_is_asked_before_the_part_is_known_keeps_a_table_whole(asked: Raw) -> None:
    core = core_of(range(LEAST))
    found = sent(core.apply([policy("TrafficPolicy", asked, "http-5")]))
    assert found[f"ROUTES {HTTP}"] and not found[f"ROUTES {HTTP}~0"]


def test_a_route_that_takes_connect_keeps_a_table_whole() -> None:
    core = core_of(range(LEAST))
    rule = {"matches": [{"method": "CONNECT"}], "backendRefs": [{**reference("p0"), "port": 80}]}
    spec = {"parentRefs": [reference("edge")], "hostnames": [host(3)], "rules": [rule]}
    found = sent(core.apply([of("HTTPRoute", "tunnels", {"spec": spec})]))
    assert found[f"ROUTES {HTTP}"] and not found[f"ROUTES {HTTP}~0"]


def test_a_listener_of_one_host_needs_no_scopes() -> None:
    core = core_of(())
    named = {key.name for key, _ in core.pipeline.translated.scopes.items()}
    assert named == {HTTP, TLS}
    tls = {"certificateRefs": [{"name": "shown"}]}
    own = {"name": "own", "port": 20443, "protocol": "HTTPS", "hostname": "a.example", "tls": tls}
    spec = {"gatewayClassName": "serai", "listeners": [own]}
    core.apply([of("Gateway", "edge", {"spec": spec})])
    assert not list(core.pipeline.translated.scopes.items())


def test_listeners_with_tls_are_divided_and_know_whose_hosts_are_not_theirs() -> None:
    tls = {"certificateRefs": [{"name": "shown"}]}
    names = {"wild": "*.edge.example", **{f"l{n}": f"l{n}.edge.example" for n in range(3)}}
    listeners: list[Raw] = [
        {"name": name, "port": 20443, "protocol": "HTTPS", "hostname": hostname, "tls": tls}
        for name, hostname in names.items()
    ]
    core = core_of(())
    written = {"gatewayClassName": "serai", "listeners": listeners}
    core.apply([of("Gateway", "edge", {"spec": written})])
    core.apply(at_edge(number, port="wild") for number in range(LEAST))
    table = "tls_gateway_20443_wild_edge_shop"
    domains = [
        (domain, key.name)
        for key, each in core.pipeline.translated.routed.of_gateways.items()
        for host in each.virtual_hosts
        for domain in host.domains
        if key.name.startswith(table)
    ]
    for number in range(3):
        there = [name for domain, name in domains if domain == f"l{number}.edge.example"]
        assert there == [f"{table}~{part_of(f'l{number}.edge.example')}"]
    everywhere = [name for domain, name in domains if domain == "*.edge.example"]
    assert len(everywhere) == PARTS


def test_a_part_put_together_from_its_hosts_is_the_part_as_a_whole() -> None:
    core = core_of(range(LEAST))
    for key, routes in core.pipeline.translated.routed.of_gateways.items():
        if routes.parts:
            continue
        whole = encode_routes(routes, core.pipeline.settings.trust_domains)
        joined = core.pipeline.snapshot.row(SnapshotKey(key.proxy, *whole.key))
        assert joined is not None
        assert (joined.body, joined.origins) == (whole.body, whole.origins)


def test_what_grew_and_shrank_is_what_it_would_have_been_from_the_start() -> None:
    core = core_of(range(10))
    for number in range(10, LEAST + 5):
        core.apply([at_edge(number)])
    assert everything(core) == everything(core_of(range(LEAST + 5)))
    for number in range(3, LEAST):
        core.apply([], [at_edge(number).key])
    kept = (*range(3), *range(LEAST, LEAST + 5))
    assert everything(core) == everything(core_of(kept))
    assert not core.pipeline.graph.failures


def test_what_leads_to_parts_names_their_scopes() -> None:
    core = core_of(range(LEAST))
    row = core.pipeline.snapshot.row(SnapshotKey(EDGE, ResourceType.ROUTES, HTTP))
    assert row is not None
    named = {f"{HTTP}~{number}" for number in range(PARTS)}
    assert {key.name for key in references(row)} == named
    assert {key.type for key in references(row)} == {ResourceType.SCOPE}
    for kind, name in (
        (ResourceType.LISTENER, "listener~20080"),
        (ResourceType.FILTER_CHAIN, TLS),
    ):
        listener = core.pipeline.snapshot.row(SnapshotKey(EDGE, kind, name))
        assert listener is not None
        table = HTTP if kind is ResourceType.LISTENER else TLS
        assert (ResourceType.SCOPE, table) in references(listener)
