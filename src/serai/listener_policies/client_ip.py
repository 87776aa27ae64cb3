"""Who the client is, where proxies stand before this one.

Envoy: HttpConnectionManager, XffConfig.
"""

from __future__ import annotations

from ipaddress import ip_network

from serai.ir.origin import Value
from serai.listener_policies.setting import Changes, Setting, plain
from serai.policies.feature import Compiled, Context, Fault
from serai.proto.envoy import XffConfig
from serai.proto.pool import pack


class TrustedRanges(Value, frozen=True):
    """Addresses that may stand in X-Forwarded-For and are no client's."""

    ranges: tuple[str, ...]


USE_REMOTE_ADDRESS = plain(
    "useRemoteAddress", "use_remote_address", lambda use: {"use_remote_address": {"value": use}}
)
HOPS = plain(
    "xffNumTrustedHops", "xff_num_trusted_hops", lambda hops: {"xff_num_trusted_hops": hops}
)
SKIP_APPEND = plain("skipXFFAppend", "skip_xff_append", lambda skip: {"skip_xff_append": skip})


def _ranges(_: Context, written: tuple[str, ...]) -> Compiled | Fault:
    for index, each in enumerate(written):
        try:
            ip_network(each, strict=False)
        except ValueError:
            return Fault(f"[{index}]", f'"{each}" is not a range such as 10.0.0.0/8')
    return Compiled(TrustedRanges(written))


def _encode(found: TrustedRanges) -> Changes:
    """Envoy takes them only where neither the peer's address nor a number of hops counts."""
    networks = [ip_network(each, strict=False) for each in found.ranges]
    ranges = [
        {"address_prefix": str(each.network_address), "prefix_len": {"value": each.prefixlen}}
        for each in networks
    ]
    config = XffConfig(xff_trusted_cidrs={"cidrs": ranges}, skip_xff_append={"value": False})
    extension = {
        "name": "envoy.http.original_ip_detection.xff",
        "typed_config": pack(config),
    }
    manager = {
        "use_remote_address": {"value": False},
        "xff_num_trusted_hops": 0,
        "original_ip_detection_extensions": [extension],
    }
    return Changes(manager=manager)


TRUSTED_RANGES = Setting("xffTrustedCIDRs", "xff_trusted_cidrs", _ranges, _encode)

SETTINGS = (USE_REMOTE_ADDRESS, HOPS, SKIP_APPEND, TRUSTED_RANGES)
