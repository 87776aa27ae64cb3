"""The bootstrap is valid, deterministic, and says what its settings say."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from google.protobuf import json_format

from serai.envoy.bootstrap import (
    XDS_CLUSTER,
    BootstrapSettings,
    HostPort,
    UnixSocket,
    admin_port,
    bootstrap,
    render,
)
from serai.proto.envoy import Bootstrap
from serai.proto.pool import POOL, message

SOCKET = BootstrapSettings(gateway="infra/edge", node_id="abc", xds=UnixSocket("/run/x.sock"))


def settings(**changes: object) -> BootstrapSettings:
    return msgspec.structs.replace(SOCKET, **changes)


@pytest.mark.parametrize(
    "chosen",
    [
        SOCKET,
        settings(xds=HostPort("10.0.0.1", 18000), protocol="sotw"),
        settings(xds=HostPort("xds.example", 18000), extra_stats=("istio.",), admin_port=15000),
    ],
)
def test_it_is_a_bootstrap_with_every_field_known(chosen: BootstrapSettings) -> None:
    # serai.proto holds the messages behind Any too, so unknown fields there are found as well.
    message("envoy.extensions.upstreams.http.v3.HttpProtocolOptions")
    parsed = json_format.ParseDict(bootstrap(chosen), Bootstrap(), descriptor_pool=POOL)
    assert parsed.node.cluster == "infra/edge"


def test_equal_settings_give_equal_bytes_and_every_setting_matters() -> None:
    changed = [
        settings(gateway="infra/other"),
        settings(node_id="def"),
        settings(xds=UnixSocket("/run/y.sock")),
        settings(protocol="sotw"),
        settings(admin_host="::1"),
        settings(admin_port=15000),
        settings(max_connections=7),
        settings(extra_stats=("istio.",)),
    ]
    rendered = {render(bootstrap(each)) for each in [SOCKET, *changed]}
    assert render(bootstrap(settings())) in rendered
    assert len(rendered) == 1 + len(changed)


def test_the_admin_interface_is_on_loopback_at_a_port_of_the_kernels_choice() -> None:
    address = bootstrap(SOCKET)["admin"]["address"]["socket_address"]
    assert address == {"address": "127.0.0.1", "port_value": 0}
    assert admin_port(render(bootstrap(SOCKET))) == 0
    assert admin_port(render(bootstrap(settings(admin_port=15000)))) == 15000


@pytest.mark.parametrize(
    ("xds", "discovery", "address"),
    [
        (UnixSocket("/run/x.sock"), "STATIC", {"pipe": {"path": "/run/x.sock"}}),
        (HostPort("::1", 1), "STATIC", {"socket_address": {"address": "::1", "port_value": 1}}),
        (HostPort("a.b", 1), "STRICT_DNS", {"socket_address": {"address": "a.b", "port_value": 1}}),
    ],
)
def test_the_control_plane_is_found_where_the_settings_say(
    xds: UnixSocket | HostPort, discovery: str, address: dict[str, Any]
) -> None:
    (cluster,) = bootstrap(settings(xds=xds))["static_resources"]["clusters"]
    (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    assert (cluster["name"], cluster["type"]) == (XDS_CLUSTER, discovery)
    assert endpoint["endpoint"]["address"] == address


@pytest.mark.parametrize(
    ("name", "counted"),
    [
        ("cluster.kube_shop_cart_80.upstream_rq_total", True),
        ("cluster.kube_shop_cart_80.membership_healthy", True),
        ("http.inbound.downstream_rq_5xx", True),
        ("server.live", True),
        ("serverless.live", False),
        ("cluster.kube_shop_cart_80.upstream_cx_rx_bytes_total", False),
        ("http.inbound.rds.some_route.config_reload", False),
        ("istio.requests_total", True),
    ],
)
def test_what_is_counted(name: str, counted: bool) -> None:  # noqa: FBT001
    config = bootstrap(settings(extra_stats=("istio.",)))
    patterns = config["stats_config"]["stats_matcher"]["inclusion_list"]["patterns"]
    matches = any(
        name.startswith(each["prefix"]) if "prefix" in each else name.endswith(each["suffix"])
        for each in patterns
    )
    assert matches is counted
