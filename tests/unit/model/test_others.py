"""What other clusters have joins what is here, by kind, namespace, host and port."""

from __future__ import annotations

from typing import Any

import pytest

from serai.api.meta import Key, Object
from serai.app.core import Core
from serai.model.other_catalog import OtherCatalog
from serai.model.service import BackendKey
from serai.model.settings import Settings
from unit.model.elsewhere import GLOBAL, SETTINGS, namespace, pod, put, read, service, told


def entry(address: str, labels: dict[str, str] = GLOBAL, **more: Any) -> Object:
    spec = {
        "hosts": ["pay.example"],
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "resolution": "STATIC",
        "endpoints": [{"address": address}],
        **more,
    }
    return read("networking.istio.io/v1", "ServiceEntry", "pay", spec, labels=labels)


def joined(here: list[Object], *clusters: OtherCatalog, settings: Settings = SETTINGS) -> Core:
    core = Core(settings)
    core.apply(here)
    put(core, *clusters)
    return core


def endpoints(core: Core, port: int = 80) -> list[tuple[str, str]]:
    found = core.pipeline.attached.catalog.endpoints.items()
    return sorted(
        (each.address, each.cluster) for key, row in found if key.port == port for each in row
    )


def test_a_service_has_the_endpoints_of_all_clusters() -> None:
    west = told("west", service(), pod("10.0.0.2"))
    north = told("north", service(), pod("10.0.0.3"))
    found = endpoints(joined([service(), pod("10.0.0.1")], west, north))
    assert found == [("10.0.0.1", ""), ("10.0.0.2", "west"), ("10.0.0.3", "north")]


def test_objects_of_one_name_do_not_meet() -> None:
    """The Pod of west has the name of ours, and another address and labels."""
    west = told("west", service(), pod("10.0.0.2", version="v2"))
    core = joined([service(), pod("10.0.0.1", version="v1")], west)
    (row,) = (row for _, row in core.pipeline.attached.catalog.endpoints.items())
    assert [(each.cluster, dict(each.labels)["version"]) for each in row] == [
        ("", "v1"),
        ("west", "v2"),
    ]


def test_what_we_say_of_an_address_counts() -> None:
    west = told("west", service(), pod("10.0.0.1", version="v2"))
    assert endpoints(joined([service(), pod("10.0.0.1")], west)) == [("10.0.0.1", "")]


@pytest.mark.parametrize(
    ("here", "there", "shared", "is_joined"),
    [
        ({}, {}, "labelled", False),
        (GLOBAL, {}, "labelled", False),
        ({}, GLOBAL, "labelled", False),
        (GLOBAL, GLOBAL, "labelled", True),
        ({}, {}, "all", True),
        ({"istio.io/global": "false"}, {}, "all", False),
        ({}, {"istio.io/global": "false"}, "all", False),
    ],
)
def test_both_must_share_it(
    here: dict[str, str], there: dict[str, str], shared: Any, *, is_joined: bool
) -> None:
    settings = Settings(standalone=False, shared_services=shared)
    west = told("west", service(there), pod("10.0.0.2"), settings=settings)
    core = joined([service(here), pod("10.0.0.1")], west, settings=settings)
    assert (len(endpoints(core)) == 2) is is_joined


def test_a_namespace_shares_all_in_it() -> None:
    west = told("west", namespace(**GLOBAL), service({}), pod("10.0.0.2"))
    core = joined([namespace(**GLOBAL), service({}), pod("10.0.0.1")], west)
    assert len(endpoints(core)) == 2
    core.apply([namespace()])
    assert len(endpoints(core)) == 1


def test_other_ports_are_not_joined() -> None:
    west = told("west", service(port=81), pod("10.0.0.2"))
    assert endpoints(joined([service(), pod("10.0.0.1")], west)) == [("10.0.0.1", "")]


def test_service_entries_of_one_namespace_and_host_are_joined() -> None:
    west = told("west", entry("10.0.0.2"))
    assert endpoints(joined([entry("10.0.0.1")], west)) == [("10.0.0.1", ""), ("10.0.0.2", "west")]
    named = told("west", entry("pay.west.example", resolution="DNS"))
    assert endpoints(joined([entry("10.0.0.1")], named)) == [("10.0.0.1", "")]


def test_a_service_that_only_others_have_is_known_without_an_address() -> None:
    west = told("west", service(clusterIP="10.96.0.9"), pod("10.0.0.2"))
    north = told("north", service(port=81), pod("10.0.0.3"))
    core = joined([], west, north)
    key = Key("Service", "shop", "cart")
    found = core.pipeline.attached.catalog.services.row(key)
    assert found is not None
    assert [port.number for port in found.ports] == [81, 80]
    assert not found.addresses
    assert endpoints(core) == [("10.0.0.2", "west")]
    core.apply([service()])
    ours = core.pipeline.attached.catalog.services.row(key)
    assert ours is not None
    assert [port.number for port in ours.ports] == [80]


def test_unready_endpoints_elsewhere_count_where_a_distribution_says_so() -> None:
    west = told("west", service(), pod("10.0.0.2", ready=False))
    assert endpoints(joined([service()], west)) == []
    near = service(trafficDistribution="PreferClose")
    assert endpoints(joined([near], west)) == [("10.0.0.2", "west")]


def test_one_pod_elsewhere_changes_one_row() -> None:
    west = told("west", service(), pod("10.0.0.2"))
    core = joined([service(), pod("10.0.0.1")], west)
    changed = west.apply([pod("10.0.0.3")], ())
    backends = changed[west.backends.name]
    assert list(backends) == [BackendKey(service().key, "cart.shop.svc.cluster.local", 80)]
    assert not changed.get(west.services.name)
    put(core, west)
    assert endpoints(core) == [("10.0.0.1", ""), ("10.0.0.3", "west")]
