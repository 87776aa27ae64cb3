"""Messages as JSON: as Envoy prints them, the same in every process."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta

import pytest
from google.protobuf.json_format import ParseDict

from serai.proto.envoy import (
    Any,
    Bootstrap,
    Cluster,
    ConfigDump,
    HttpProtocolOptions,
    Listener,
    Metadata,
    ServerInfo,
    StringValue,
    TcpProxy,
    WeightedCluster,
)
from serai.proto.json import to_json
from serai.proto.pool import POOL, TYPE_URL_PREFIX, pack

CLUSTER = Cluster(
    name="kube_shop_cart_80",
    type="EDS",
    connect_timeout=timedelta(milliseconds=1500),
    per_connection_buffer_limit_bytes={"value": 32768},
    typed_extension_protocol_options={
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": pack(
            HttpProtocolOptions(explicit_http_config={"http2_protocol_options": {}})
        )
    },
    metadata={"filter_metadata": {"istio": {"fields": {"b": {"number_value": 1}}}}},
)

PRINTED = {
    "name": "kube_shop_cart_80",
    "type": "EDS",
    "connect_timeout": "1.500s",
    "per_connection_buffer_limit_bytes": 32768,
    "metadata": {"filter_metadata": {"istio": {"b": 1.0}}},
    "typed_extension_protocol_options": {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": ("type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"),
            "explicit_http_config": {"http2_protocol_options": {}},
        }
    },
}


def test_a_cluster_prints_as_envoy_prints_it() -> None:
    assert to_json(CLUSTER) == PRINTED


def test_what_is_printed_is_read_back() -> None:
    assert ParseDict(PRINTED, Cluster(), descriptor_pool=POOL) == CLUSTER


def test_an_any_inside_an_any_is_expanded() -> None:
    tcp = TcpProxy(stat_prefix="x", cluster="y")
    listener = Listener(filter_chains=[{"filters": [{"name": "tcp", "typed_config": pack(tcp)}]}])
    dump = ConfigDump(configs=[pack(listener)])

    (section,) = json.loads(json.dumps(to_json(dump)))["configs"]

    assert section["@type"] == TYPE_URL_PREFIX + "envoy.config.listener.v3.Listener"
    inner = section["filter_chains"][0]["filters"][0]["typed_config"]
    assert inner == {
        "@type": TYPE_URL_PREFIX + TcpProxy.DESCRIPTOR.full_name,
        "stat_prefix": "x",
        "cluster": "y",
    }
    assert ParseDict(to_json(dump), ConfigDump(), descriptor_pool=POOL) == dump


def test_an_any_with_a_form_of_its_own_is_under_value() -> None:
    packed = Any(type_url=TYPE_URL_PREFIX + "google.protobuf.StringValue", value=b"\n\x01x")

    assert StringValue.FromString(packed.value).value == "x"
    assert to_json(packed) == {"@type": packed.type_url, "value": "x"}


@pytest.mark.parametrize(
    ("type_url", "content"),
    [
        (TYPE_URL_PREFIX + "acme.v1.Unknown", b"\x01\x02"),
        (TYPE_URL_PREFIX + "envoy.config.cluster.v3.Cluster", b"\xff\xff"),
        ("", b"\x01\x02"),
    ],
)
def test_an_any_that_cannot_be_read_keeps_its_bytes(type_url: str, content: bytes) -> None:
    printed = to_json(Any(type_url=type_url, value=content))

    assert printed["@type"] == type_url
    assert printed["value"] in {"AQI=", "//8="}


def test_numbers_too_big_for_json_are_strings() -> None:
    bootstrap = Bootstrap(overload_manager={"buffer_factory_config": {}}, node={"id": "x"})
    assert to_json(bootstrap)["node"] == {"id": "x"}
    assert to_json(ServerInfo(command_line_options={"base_id": 2**64 - 1})) == {
        "command_line_options": {"base_id": "18446744073709551615"}
    }


def test_enum_values_that_have_no_name_are_numbers() -> None:
    assert to_json(Cluster(type=99)) == {"type": 99}


def test_unset_fields_are_left_out_and_set_zeros_are_not() -> None:
    share = WeightedCluster(clusters=[{"name": "a", "weight": {"value": 0}}, {"name": "b"}])

    assert to_json(share) == {"clusters": [{"name": "a", "weight": 0}, {"name": "b"}]}


def test_the_same_bytes_in_every_process() -> None:
    """The order in which protobuf keeps a map differs from process to process."""
    program = """
import json
from serai.proto.envoy import Metadata
from serai.proto.json import to_json
names = "abcdefghij"
fields = {n: {"fields": {m: {"string_value": m} for m in names}} for n in names}
print(json.dumps(to_json(Metadata(filter_metadata=fields))))
"""
    printed = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
        for _ in range(3)
    ]

    assert len(set(printed)) == 1
    assert list(json.loads(printed[0])["filter_metadata"]) == list("abcdefghij")
    assert Metadata.DESCRIPTOR.name == "Metadata"
