"""Envoy's messages: every name loads, cheaply, without disturbing anybody else's."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest
from google.protobuf import descriptor_pool, duration_pb2

from serai.proto import envoy
from serai.proto.envoy import Cluster, ClusterLoadAssignment, ConfigDump
from serai.proto.pool import POOL, message, pack


def run(program: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(("name", "full_name"), sorted(envoy.MESSAGES.items()))
def test_every_name_loads_and_round_trips(name: str, full_name: str) -> None:
    made = getattr(envoy, name)

    assert made.DESCRIPTOR.full_name == full_name
    assert made.FromString(made().SerializeToString()) == made()


def test_an_unknown_name_says_where_the_names_are() -> None:
    with pytest.raises(AttributeError, match=r"no message Clustre; MESSAGES lists"):
        getattr(envoy, "Clustre")  # noqa: B009  # the type checker knows that it is not there


def test_messages_are_written_as_nested_keyword_arguments() -> None:
    cluster = Cluster(
        name="kube_shop_cart_80",
        type="EDS",
        connect_timeout=timedelta(seconds=5),
        eds_cluster_config={"eds_config": {"ads": {}, "resource_api_version": "V3"}},
        per_connection_buffer_limit_bytes={"value": 32768},
    )

    assert cluster.type == Cluster.EDS
    assert cluster.connect_timeout.ToTimedelta() == timedelta(seconds=5)
    assert cluster.eds_cluster_config.eds_config.HasField("ads")
    assert Cluster.FromString(cluster.SerializeToString()) == cluster


def test_a_misspelt_nested_field_is_refused() -> None:
    with pytest.raises(ValueError, match="eds_confg"):
        Cluster(eds_cluster_config={"eds_confg": {}})


def test_pack_makes_an_any() -> None:
    inner = ClusterLoadAssignment(cluster_name="x")
    cluster = Cluster(typed_extension_protocol_options={"x": pack(inner)})

    packed = cluster.typed_extension_protocol_options["x"]

    assert packed.type_url == "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
    assert ClusterLoadAssignment.FromString(packed.value) == inner


def test_the_pool_is_ours_alone() -> None:
    assert POOL is not descriptor_pool.Default()
    assert message("google.protobuf.Duration") is not duration_pb2.Duration
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("envoy.config.cluster.v3.Cluster")


def test_the_pool_has_what_envoy_reads_and_no_more() -> None:
    POOL.FindMessageTypeByName("envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication")
    for gone in ("envoy.api.v2.Cluster", "envoy.config.filter.http.router.v2.Router"):
        with pytest.raises(KeyError):
            POOL.FindMessageTypeByName(gone)


def test_the_names_cost_nothing_until_used() -> None:
    program = (
        "import sys, serai.proto.envoy; print('google.protobuf.descriptor_pool' in sys.modules)"
    )

    # google.protobuf.message, for the type of a class, is all that the table needs.
    assert run(program) == "False"


def test_loading_the_pool_is_quick() -> None:
    program = """
import time, google.protobuf.message_factory, google.protobuf.descriptor_pool
before = time.process_time()
from serai.proto.envoy import Cluster, Listener, ConfigDump
print(time.process_time() - before)
"""
    assert min(float(run(program)) for _ in range(3)) < 0.04


def test_enum_names_can_be_read_back() -> None:
    assert Cluster.DiscoveryType.Name(Cluster.STRICT_DNS) == "STRICT_DNS"


def test_every_config_dump_section_is_known() -> None:
    sections = [name for name in envoy.MESSAGES if name.endswith("ConfigDump")]

    dump = ConfigDump(configs=[pack(getattr(envoy, name)()) for name in sections])

    assert len(dump.configs) == len(sections) > 7
