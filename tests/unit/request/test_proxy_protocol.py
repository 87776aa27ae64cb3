from __future__ import annotations

import pytest

from serai.app.client.proxy_protocol import proxy_header

START = bytes.fromhex("0d0a0d0a000d0a515549540a")
SPIFFE = "spiffe://cluster.local/ns/shop/sa/cart"


def test_ipv4() -> None:
    assert proxy_header(("10.0.0.9", 4444), ("240.240.0.10", 443)) == START + bytes.fromhex(
        "21"  # version 2, command PROXY
        "11"  # TCP over IPv4
        "000c"  # 12 bytes of addresses follow
        "0a000009"
        "f0f0000a"
        "115c"
        "01bb"
    )


def test_ipv6() -> None:
    assert proxy_header(("::1", 1), ("2001:db8::a", 80)) == START + bytes.fromhex(
        "21"
        "21"  # TCP over IPv6
        "0024"  # 36 bytes
        "00000000000000000000000000000001"
        "20010db800000000000000000000000a"
        "0001"
        "0050"
    )


def test_an_identity_is_a_tlv_of_type_d0() -> None:
    header = proxy_header(("10.0.0.9", 4444), ("10.9.0.1", 80), SPIFFE)

    assert header[:16] == START + bytes([0x21, 0x11, 0, 12 + 3 + 38])
    assert header[28:] == bytes([0xD0, 0, 38]) + SPIFFE.encode()


def test_a_mixed_pair_is_written_as_ipv6() -> None:
    header = proxy_header(("127.0.0.1", 1), ("2001:db8::a", 80))

    assert header[13] == 0x21
    assert header[16:32] == bytes.fromhex("00000000000000000000ffff7f000001")


@pytest.mark.parametrize(
    ("source", "destination", "principal"),
    [
        (("nowhere", 1), ("10.0.0.1", 80), ""),
        (("10.0.0.1", 1), ("10.0.0.1", 65536), ""),
        (("10.0.0.1", 1), ("10.0.0.1", 80), "x" * 65536),
    ],
)
def test_what_cannot_be_written_is_refused(
    source: tuple[str, int], destination: tuple[str, int], principal: str
) -> None:
    with pytest.raises(ValueError, match=r"address|port|identity"):
        proxy_header(source, destination, principal)
