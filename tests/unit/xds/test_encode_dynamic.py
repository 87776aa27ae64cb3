"""Which names are looked up for a request, and where they may lead."""

import json

import pytest
from google.protobuf.json_format import MessageToJson

from serai.api.meta import Key
from serai.ir.cluster import Cluster as IrCluster
from serai.ir.cluster import Discovery
from serai.ir.origin import Origin
from serai.ir.route import LookUp
from serai.model.reserved import is_refused
from serai.model.settings import Settings
from serai.proto.envoy import Cluster, DnsCluster
from serai.xds.encode.cluster import encode_cluster
from serai.xds.encode.dynamic import looked_up

ORIGIN = Origin(Key("ServiceEntry", "shop", "x"))


@pytest.mark.parametrize(
    ("hosts", "authority", "name"),
    [
        ("*.a.example", "x.a.example", "x.a.example"),
        ("*.a.example", "X.y.A.example:8080", "x.y.a.example"),
        ("*.a.example", "a.example", ""),
        ("*.a.example", ".a.example", ""),
        ("*.a.example", "x.a.example.evil.example", ""),
        ("*.a.example", "evil.example:1.a.example", ""),
        ("*.a.example", "xa-example", ""),
        ("*.a.example", "x.a.example:80:81", ""),
        ("*.a.example", "x.a.example\n", ""),
        ("*", "any.example:1", "any.example"),
        ("*", "169.254.169.254", "169.254.169.254"),
        ("*", "[::1]:80", ""),
    ],
)
def test_a_name_is_looked_up_only_if_it_is_covered(hosts: str, authority: str, name: str) -> None:
    assert looked_up(LookUp(hosts, 80), authority) == name


@pytest.mark.parametrize(
    ("address", "allowed", "refused"),
    [
        ("127.0.0.1", (), True),
        ("169.254.169.254", (), True),
        ("10.1.2.3", (), True),
        ("10.1.2.3", ("10.1.0.0/16",), False),
        ("10.2.2.3", ("10.1.0.0/16",), True),
        ("::1", ("127.0.0.0/8",), True),
        ("::ffff:127.0.0.1", ("127.0.0.0/8",), True),
        ("fe80::1", (), True),
        ("0.0.0.0", (), True),
        ("93.184.216.34", (), False),
        ("2606:2800:220:1::1", (), False),
    ],
)
def test_reserved_addresses_are_refused(
    address: str, allowed: tuple[str, ...], *, refused: bool
) -> None:
    assert is_refused(address, allowed) is refused


@pytest.mark.parametrize("discovery", [Discovery.DNS, Discovery.LOGICAL_DNS])
def test_names_are_looked_up_as_the_operator_says_and_as_long_as_they_last(
    discovery: Discovery,
) -> None:
    settings = Settings(dns_lookup_family="V6_ONLY")
    body = encode_cluster(IrCluster("x", discovery, ORIGIN), settings).body
    dns = DnsCluster()
    Cluster.FromString(body).cluster_type.typed_config.Unpack(dns)

    told = json.loads(MessageToJson(dns))
    assert told["dnsLookupFamily"] == "V6_ONLY"
    assert told["respectDnsTtl"] is True
    assert told.get("allAddressesInSingleEndpoint", False) == (discovery is Discovery.LOGICAL_DNS)
