"""What the definitions of the kinds for backends refuse."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import inf

import msgspec

from serai.api.backend_policy import BackendTLSPolicy, BackendTLSValidation, XBackendTrafficPolicy
from serai.api.bounds import out_of_bounds, seconds
from serai.api.destination_rule import DestinationRule, TrafficPolicy
from serai.api.faults import clash, twice, wrong
from serai.api.kgateway_backend import (
    Backend,
    BackendConfigPolicy,
    Http2ProtocolOptions,
    LoadBalancer,
    Tls,
)
from serai.api.problem import Problem
from serai.api.quantity import WINDOW, is_window
from serai.api.syntax import (
    is_dns_label,
    is_hostname,
    is_ip,
    is_wildcard_hostname,
)
from serai.api.validate_routes import check_session

HOST_REMEDY = "Use a host name, in small letters and without a port."


def exactly_one(path: str, struct: msgspec.Struct, *names: str) -> Iterator[Problem]:
    """A choice of fields of which one, and only one, must be there."""
    fields = {each.name: each.encode_name for each in msgspec.structs.fields(type(struct))}
    given = [fields[name] for name in names if getattr(struct, name) not in (None, ())]
    if len(given) != 1:
        choice = ", ".join(fields[name] for name in names)
        found = " and ".join(given) or "none of them"
        yield clash(path, f"{path} has {found}; it must have one of {choice}", "Keep one.")


def check_backend_tls(policy: BackendTLSPolicy) -> Iterator[Problem]:
    """What the definition of BackendTLSPolicy refuses."""
    yield from check_validation("spec.validation", policy.spec.validation)


def check_validation(path: str, validation: BackendTLSValidation) -> Iterator[Problem]:
    """Whom to trust and to expect.  Gateway API: BackendTLSPolicyValidation."""
    yield from exactly_one(path, validation, "ca_certificate_refs", "well_known_ca")
    if not is_hostname(validation.hostname):
        yield wrong(f"{path}.hostname", validation.hostname, "a host name", HOST_REMEDY)
    for index, each in enumerate(validation.subject_alt_names):
        here = f"{path}.subjectAltNames[{index}]"
        if each.type == "URI" and ":" not in (each.uri or ""):
            yield wrong(f"{here}.uri", each.uri or "", "a URI", "Write one such as spiffe://a/b.")
        elif each.type == "Hostname" and not is_wildcard_hostname(each.hostname or ""):
            yield wrong(f"{here}.hostname", each.hostname or "", "a host name", HOST_REMEDY)


def check_backend_traffic(policy: XBackendTrafficPolicy) -> Iterator[Problem]:
    """The bounds of XBackendTrafficPolicy's values."""
    yield from out_of_bounds(policy.spec, "spec")
    yield from check_session("spec.sessionPersistence", policy.spec.session_persistence)


_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")


def check_backend_config(policy: BackendConfigPolicy) -> Iterator[Problem]:
    """The rules of BackendConfigPolicy's definition, as kgateway's CEL has them."""
    spec = policy.spec
    yield from out_of_bounds(spec, "spec")
    if spec.http1_protocol_options and spec.http2_protocol_options:
        message = "spec.http1ProtocolOptions and spec.http2ProtocolOptions exclude each other"
        yield clash("spec.http2ProtocolOptions", message, "Keep one of them.")
    if spec.http2_protocol_options:
        yield from _windows(spec.http2_protocol_options)
    if spec.health_check:
        yield from exactly_one("spec.healthCheck", spec.health_check, "http", "grpc", "tcp")
    if spec.load_balancer:
        yield from _load_balancer(spec.load_balancer)
    if spec.tls:
        yield from _tls(spec.tls)
    if spec.dns:
        jitter, rate = seconds(spec.dns.jitter), seconds(spec.dns.refresh_rate)
        if jitter is not None and rate is not None and jitter > rate:
            message = "spec.dns.jitter is more than spec.dns.refreshRate"
            yield clash("spec.dns.jitter", message, "Lower it.")


def _windows(found: Http2ProtocolOptions) -> Iterator[Problem]:
    for name, written in (
        ("initialStreamWindowSize", found.initial_stream_window_size),
        ("initialConnectionWindowSize", found.initial_connection_window_size),
    ):
        if not is_window(written):
            here = f"spec.http2ProtocolOptions.{name}"
            yield wrong(here, str(written), WINDOW, "Write one such as 1Mi.")


def _load_balancer(found: LoadBalancer) -> Iterator[Problem]:
    path = "spec.loadBalancer"
    kinds = ("least_request", "round_robin", "ring_hash", "maglev", "random")
    yield from exactly_one(path, found, *kinds)
    if found.zone_aware and found.locality_type:
        words = f"{path} has zoneAware and localityType, which exclude each other"
        yield clash(f"{path}.zoneAware", words, "Keep one of them.")
    if found.zone_aware and (found.ring_hash or found.maglev):
        words = f"{path} has zoneAware with a load balancer that hashes"
        yield clash(f"{path}.zoneAware", words, "Use leastRequest, roundRobin or random.")
    for name, kind in (("leastRequest", found.least_request), ("roundRobin", found.round_robin)):
        aggression = kind.slow_start.aggression if kind and kind.slow_start else None
        if aggression is not None and not _is_positive(aggression):
            here = f"{path}.{name}.slowStart.aggression"
            yield wrong(here, aggression, "a number above 0", "Write one such as 1.5.")
    for name, by in (("ringHash", found.ring_hash), ("maglev", found.maglev)):
        for index, each in enumerate(by.hash_policies if by else ()):
            here = f"{path}.{name}.hashPolicies[{index}]"
            yield from exactly_one(here, each, "header", "cookie", "source_ip")


def _is_positive(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None and 0 < float(text) < inf


def _tls(tls: Tls) -> Iterator[Problem]:
    kinds = ("secret_ref", "files", "well_known_ca", "insecure_skip_verify")
    yield from exactly_one("spec.tls", tls, *kinds)
    files = tls.files
    if files and bool(files.tls_certificate) != bool(files.tls_key):
        message = "spec.tls.files has one of tlsCertificate and tlsKey; a certificate needs its key"
        yield clash("spec.tls.files", message, "Write both.")


def check_backend(backend: Backend) -> Iterator[Problem]:
    """The choice of Backend.spec, and its hosts."""
    spec = backend.spec
    kinds = ("aws", "static", "dynamic_forward_proxy", "gcp", "priority_groups")
    yield from exactly_one("spec", spec, *kinds)
    yield from out_of_bounds(spec, "spec")
    for index, each in enumerate(spec.static.hosts if spec.static else ()):
        path = f"spec.static.hosts[{index}].host"
        if not is_ip(each.host) and not is_hostname(each.host.lower()):
            yield wrong(path, each.host, "an IP address or a host name", HOST_REMEDY)
    if spec.static and not spec.static.hosts:
        yield clash("spec.static.hosts", "spec.static.hosts is empty", "Name at least one host.")


def check_destination_rule(rule: DestinationRule) -> Iterator[Problem]:
    """What Istio's validation refuses of a DestinationRule."""
    spec = rule.spec
    if not spec.host or ("*" in spec.host and spec.host.lstrip("*")[:1] not in {"", "."}):
        yield wrong("spec.host", spec.host, "a host", "Use a host name; * only as first label.")
    yield from out_of_bounds(spec, "spec")
    yield from twice("spec.subsets", [each.name for each in spec.subsets], ".name", "name")
    for index, each in enumerate(spec.subsets):
        if not is_dns_label(each.name):
            path = f"spec.subsets[{index}].name"
            yield wrong(path, each.name, "a DNS label", "Use small letters, digits and dashes.")
    policies = [("spec.trafficPolicy", spec.traffic_policy)]
    policies += [
        (f"spec.subsets[{index}].trafficPolicy", each.traffic_policy)
        for index, each in enumerate(spec.subsets)
    ]
    for path, policy in policies:
        if policy is not None:
            yield from _traffic_policy(path, policy)


def _traffic_policy(path: str, policy: TrafficPolicy) -> Iterator[Problem]:
    tls = policy.tls
    if tls and tls.mode == "MUTUAL" and not (tls.client_certificate or tls.credential_name):
        message = f"{path}.tls has mode MUTUAL without a client certificate"
        yield clash(f"{path}.tls", message, "Name a Secret in credentialName.")
    hashing = policy.load_balancer.consistent_hash if policy.load_balancer else None
    if hashing is not None:
        keys = ("http_header_name", "http_cookie", "http_query_parameter_name")
        given = sum(getattr(hashing, key) is not None for key in keys) + hashing.use_source_ip
        if given != 1:
            here = f"{path}.loadBalancer.consistentHash"
            message = f"{here} hashes by {given} things; it must be one"
            yield clash(here, message, "Keep one of them.")
    for index, code in enumerate(
        policy.outlier_detection.outlier_detection_http_error_codes
        if policy.outlier_detection
        else ()
    ):
        if code not in range(100, 600):
            here = f"{path}.outlierDetection.outlierDetectionHttpErrorCodes[{index}]"
            yield wrong(here, code, "a status of HTTP", "Use 100 to 599.")
    if policy.tunnel and not is_ip(policy.tunnel.target_host):
        host = policy.tunnel.target_host
        if not is_hostname(host.lower()):
            yield wrong(f"{path}.tunnel.targetHost", host, "a host or an address", HOST_REMEDY)
    numbers = [each.port.number for each in policy.port_level_settings]
    yield from twice(f"{path}.portLevelSettings", numbers, ".port.number", "port")
