"""What kgateway's definitions of listener policies refuse."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.bounds import out_of_bounds
from serai.api.faults import clash, port_faults, twice
from serai.api.listener_policy import HTTPListenerPolicy, HTTPSettings, ListenerPolicy
from serai.api.problem import Problem


def check_listener_policy(policy: ListenerPolicy) -> Iterator[Problem]:
    """The bounds of a ListenerPolicy's values, and what does not go together."""
    spec = policy.spec
    yield from out_of_bounds(spec, "spec")
    for index, each in enumerate(spec.per_port):
        path = f"spec.perPort[{index}]"
        yield from port_faults(f"{path}.port", each.port)
        if each.listener.http_settings:
            yield from _settings(f"{path}.listener.httpSettings", each.listener.http_settings)
    yield from twice("spec.perPort", [each.port for each in spec.per_port], ".port", "port")
    if spec.default and spec.default.http_settings:
        yield from _settings("spec.default.httpSettings", spec.default.http_settings)


def check_http_listener_policy(policy: HTTPListenerPolicy) -> Iterator[Problem]:
    """Likewise of an HTTPListenerPolicy."""
    yield from out_of_bounds(policy.spec, "spec")
    yield from _settings("spec", policy.spec)


def _settings(path: str, found: HTTPSettings) -> Iterator[Problem]:
    if found.xff_trusted_cidrs is None:
        return
    if found.use_remote_address is not False:
        message = f"{path}.xffTrustedCIDRs needs useRemoteAddress: false beside it"
        yield clash(f"{path}.xffTrustedCIDRs", message, "Set useRemoteAddress: false.")
    if found.xff_num_trusted_hops is not None:
        message = f"{path} has both xffNumTrustedHops and xffTrustedCIDRs"
        yield clash(f"{path}.xffTrustedCIDRs", message, "Keep one of the two.")
