"""What Istio's validation refuses or warns of in ServiceEntry and WorkloadEntry.

Source: istio/istio, pkg/config/validation; numbers in brackets are the rules' order there.
"""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.faults import clash, port_faults, twice, unwise, value_faults, wrong
from serai.api.fields_check import entry_path
from serai.api.limits_networking import entry_limits, workload_limits
from serai.api.networking import (
    ALLOCATE,
    USE_WAYPOINT,
    ServiceEntry,
    ServiceEntryPort,
    WorkloadEntry,
    WorkloadEntrySpec,
)
from serai.api.problem import Problem
from serai.api.syntax import (
    is_cidr,
    is_dns_label,
    is_hostname,
    is_ip,
    is_label_key,
    is_label_value,
    is_port,
)

PROTOCOLS = frozenset(
    {"tcp", "udp", "grpc", "grpc-web", "http", "http_proxy", "http2", "https", "tls"}
    | {"mongo", "redis", "mysql", ""}
)
BY_HOST = frozenset({"http", "http2", "http_proxy", "grpc", "grpc-web", "https", "tls"})
"""Protocols whose connections tell the host that they are meant for."""
DYNAMIC = frozenset({"http", "http2", "grpc", "tls"})

LONGEST_SOCKET = 107
"""Bytes of a Unix socket's path.  Linux: unix(7); Envoy refuses longer ones."""

MOST_WEIGHT = 2**32 - 1
"""Of an endpoint.  Istio: WorkloadEntry.weight is a uint32."""


def check_service_entry(entry: ServiceEntry) -> Iterator[Problem]:
    """Every rule for a ServiceEntry."""
    spec = entry.spec
    if spec.workload_selector is not None and spec.endpoints:
        message = "spec.workloadSelector and spec.endpoints exclude each other"
        yield clash("spec.workloadSelector", message, "Remove one of the two.")
    yield from entry_limits(spec)
    yield from _hosts(entry)
    yield from _addresses(entry)
    yield from _ports(entry)
    yield from _resolution(entry)
    yield from _selector(entry)
    yield from _export_to(spec.export_to)
    for index, endpoint in enumerate(spec.endpoints):
        yield from _endpoint(f"spec.endpoints[{index}]", endpoint, entry)


def check_workload_entry(entry: WorkloadEntry) -> Iterator[Problem]:
    """Every rule for a WorkloadEntry by itself, whose address may be a host name."""
    yield from _workload("spec", entry.spec, allow_hostname=True)


def _hosts(entry: ServiceEntry) -> Iterator[Problem]:
    hosts = entry.spec.hosts
    if not hosts:
        yield clash("spec.hosts", "spec.hosts is empty", "Name at least one host.")
    for index, host in enumerate(hosts):
        path = f"spec.hosts[{index}]"
        if host == "*" and entry.spec.resolution != "DYNAMIC_DNS":
            yield wrong(path, host, "allowed", "Name the hosts; * would take all traffic.")
        elif host != "*" and not _is_host(host):
            yield wrong(path, host, "a host name", "Use a host name; * only as the first label.")
        elif "*" in host and not host.startswith("*.") and entry.spec.resolution != "DYNAMIC_DNS":
            message = f"{path} {host} has a partial wildcard, which proxies do not match as such"
            yield unwise(path, message, "Use * as the whole first label.")
    yield from twice("spec.hosts", hosts, "", "host")


def _is_host(host: str) -> bool:
    """A host name whose first label may have a wildcard at one of its ends."""
    label, dot, rest = host.partition(".")
    if "*" not in label:
        return is_hostname(host)
    plain = label.replace("*", "", 1)
    partial = not plain or is_dns_label(plain)
    at_end = label.startswith("*") or label.endswith("*")
    return partial and at_end and (is_hostname(rest) if dot else bool(plain))


def _addresses(entry: ServiceEntry) -> Iterator[Problem]:
    spec = entry.spec
    yield from value_faults(
        "spec.addresses",
        spec.addresses,
        lambda text: is_ip(text) or is_cidr(text),
        "an IP address or a range of them",
        "Use an address such as 240.0.0.1 or a range such as 240.0.0.0/28.",
    )
    for index, address in enumerate(spec.addresses):
        if "/" in address and spec.resolution not in ("NONE", "STATIC"):
            path = f"spec.addresses[{index}]"
            message = f"{path} is a range, which resolution {spec.resolution} can't have"
            yield clash(path, message, "Use single addresses, or resolution NONE or STATIC.")
    tcp = [port.number for port in spec.ports if _protocol(port) in ("", "tcp")]
    if not spec.addresses and tcp and _never_allocated(entry):
        message = f"spec.addresses is missing, so that TCP port {tcp[0]} can't be told from others"
        yield unwise("spec.addresses", message, f"Give an address, or remove the label {ALLOCATE}.")


def _never_allocated(entry: ServiceEntry) -> bool:
    return entry.metadata.labels.get(ALLOCATE, "").lower() == "false"


def _ports(entry: ServiceEntry) -> Iterator[Problem]:
    ports = entry.spec.ports
    for index, port in enumerate(ports):
        path = f"spec.ports[{index}]"
        yield from port_faults(f"{path}.number", port.number)
        if port.target_port:
            yield from port_faults(f"{path}.targetPort", port.target_port)
        if not port.name:
            message = f"{path}.name is missing; an API server takes no port without one"
            yield clash(f"{path}.name", message, "Name it, such as http.")
        elif not is_dns_label(port.name):
            yield wrong(f"{path}.name", port.name, "a name", "Use a-z, 0-9 and '-'.")
        if _protocol(port) not in PROTOCOLS:
            known = ", ".join(sorted(PROTOCOLS - {""})).upper()
            yield wrong(f"{path}.protocol", port.protocol, "a protocol", f"Use one of {known}.")
    yield from twice("spec.ports", [port.name for port in ports], ".name", "name")
    yield from twice("spec.ports", [port.number for port in ports], ".number", "number")
    others = [port for port in ports if _protocol(port) not in BY_HOST]
    if (
        entry.spec.resolution not in ("NONE", "DYNAMIC_DNS")
        and len(entry.spec.hosts) > 1
        and others
    ):
        message = (
            f"spec.hosts has {len(entry.spec.hosts)} hosts, but port {others[0].number} is neither"
            " HTTP nor TLS, so that nothing tells which host a connection is for"
        )
        yield clash("spec.hosts", message, "Use one ServiceEntry for each host.")


def _protocol(port: ServiceEntryPort) -> str:
    return port.protocol.lower()


def _resolution(entry: ServiceEntry) -> Iterator[Problem]:
    spec = entry.spec
    match spec.resolution:
        case "NONE":
            if spec.endpoints:
                message = "spec.endpoints can't be given with resolution NONE"
                yield clash("spec.endpoints", message, "Remove them, or set resolution: STATIC.")
            if spec.workload_selector is not None:
                message = "spec.workloadSelector does nothing with resolution NONE"
                yield unwise("spec.workloadSelector", message, "Set resolution: STATIC.")
        case "DNS" | "DNS_ROUND_ROBIN":
            yield from _dns(entry)
        case "DYNAMIC_DNS":
            yield from _dynamic_dns(entry)


def _dns(entry: ServiceEntry) -> Iterator[Problem]:
    spec = entry.spec
    if not spec.endpoints and spec.workload_selector is None:
        for index, host in enumerate(spec.hosts):
            if "*" in host:
                message = f"spec.hosts[{index}] {host} can't be looked up, being a wildcard"
                remedy = "Name endpoints, or use resolution DYNAMIC_DNS."
                yield clash(f"spec.hosts[{index}]", message, remedy)
    if spec.resolution == "DNS_ROUND_ROBIN" and len(spec.endpoints) > 1:
        message = f"DNS_ROUND_ROBIN takes one endpoint, and there are {len(spec.endpoints)}"
        yield clash("spec.endpoints", message, "Keep one, or use resolution DNS.")
    tcp = [port.number for port in spec.ports if _protocol(port) in ("", "tcp")]
    if spec.addresses and tcp and len(spec.hosts) > 1:
        message = f"several hosts share the addresses, so TCP port {tcp[0]} can't tell them apart"
        yield unwise("spec.addresses", message, "Use one ServiceEntry for each host.")


def _dynamic_dns(entry: ServiceEntry) -> Iterator[Problem]:
    spec = entry.spec
    for index, host in enumerate(spec.hosts):
        if not host.startswith("*"):
            message = f"spec.hosts[{index}] {host} has no wildcard, which DYNAMIC_DNS is for"
            yield clash(f"spec.hosts[{index}]", message, "Use resolution DNS, or a wildcard.")
    for field, values in (("addresses", spec.addresses), ("endpoints", spec.endpoints)):
        if values:
            message = f"spec.{field} can't be given with resolution DYNAMIC_DNS"
            yield clash(f"spec.{field}", message, "Remove them.")
    for index, port in enumerate(spec.ports):
        if _protocol(port) not in DYNAMIC:
            path = f"spec.ports[{index}].protocol"
            message = f'{path} "{port.protocol}" tells no host to look up'
            yield clash(path, message, "Use HTTP, HTTP2, GRPC or TLS.")
    if spec.location == "MESH_INTERNAL" and USE_WAYPOINT in entry.metadata.labels:
        message = "MESH_INTERNAL and DYNAMIC_DNS do not go together behind a waypoint"
        yield clash("spec.location", message, "Use MESH_EXTERNAL.")


def _selector(entry: ServiceEntry) -> Iterator[Problem]:
    selector = entry.spec.workload_selector
    if selector is None:
        return
    path = "spec.workloadSelector.labels"
    if not selector.labels:
        message = f"{path} is empty, which selects every workload of the namespace"
        yield unwise(path, message, "Name labels.")
    for key, value in selector.labels.items():
        if not key or "*" in key or "*" in value:
            remedy = "Use exact keys and values."
            yield wrong(entry_path(path, key), f"{key}: {value}", "a label", remedy)


def _export_to(namespaces: tuple[str, ...]) -> Iterator[Problem]:
    path = "spec.exportTo"
    yield from value_faults(
        path,
        namespaces,
        lambda text: text in ("*", ".", "~") or is_dns_label(text),
        "a namespace",
        "Use a namespace, or '.' for this one, '*' for all, '~' for none.",
    )
    yield from twice(path, namespaces, "", "namespace")
    if len(namespaces) > 1 and not {"*", "~"}.isdisjoint(namespaces):
        yield clash(path, f"{path} holds * or ~ beside others", "Keep it alone.")


def _endpoint(path: str, endpoint: WorkloadEntrySpec, entry: ServiceEntry) -> Iterator[Problem]:
    by_name = entry.spec.resolution in ("DNS", "DNS_ROUND_ROBIN")
    yield from _workload(path, endpoint, allow_hostname=by_name)
    if endpoint.address.startswith("unix://") and by_name:
        message = f"{path} is a Unix socket, which has no name that could be looked up"
        yield clash(f"{path}.address", message, "Use resolution STATIC.")
    elif endpoint.address.startswith("unix://") and len(entry.spec.ports) != 1:
        message = f"{path} is a Unix socket, which takes exactly one port in spec.ports"
        yield clash(f"{path}.address", message, "Use one port.")
    names = {port.name for port in entry.spec.ports} if endpoint.ports else set()
    for name in endpoint.ports:
        if name not in names:
            here = entry_path(f"{path}.ports", name)
            known = ", ".join(sorted(names - {""})) or "none has a name"
            yield wrong(here, name, "the name of a port in spec.ports", f"Names: {known}.")


def _workload(path: str, spec: WorkloadEntrySpec, *, allow_hostname: bool) -> Iterator[Problem]:
    yield from workload_limits(path, spec)
    yield from _address(f"{path}.address", spec, allow_hostname=allow_hostname)
    if not 0 <= spec.weight <= MOST_WEIGHT:
        remedy = f"Use 0 to {MOST_WEIGHT}."
        yield wrong(f"{path}.weight", spec.weight, "a weight", remedy)
    for name, number in spec.ports.items():
        here = entry_path(f"{path}.ports", name)
        if not is_dns_label(name):
            yield wrong(here, name, "a port's name", "Use a-z, 0-9 and '-'.")
        if not is_port(number):
            yield wrong(here, number, "a port", "Use a number from 1 to 65535.")
    for key, value in spec.labels.items():
        if not is_label_key(key) or not is_label_value(value):
            here = entry_path(f"{path}.labels", key)
            yield wrong(here, f"{key}: {value}", "a label", "Use letters, digits, '-', '_', '.'.")


def _address(path: str, spec: WorkloadEntrySpec, *, allow_hostname: bool) -> Iterator[Problem]:
    address = spec.address
    if not address:
        if not spec.network:
            yield clash(path, f"{path} is missing", "Give an address, or a network.")
        else:
            message = f"{path} is missing; it is reached through the gateway of its network only"
            yield unwise(path, message, "Give an address unless that is meant.")
    elif address.startswith("unix://"):
        socket = address.removeprefix("unix://")
        if not socket.startswith(("/", "@")) or len(socket) == 1:
            yield wrong(path, address, "a socket", "Use unix:///path or unix://@name.")
        if len(socket.encode()) > LONGEST_SOCKET:
            remedy = f"Use a path of at most {LONGEST_SOCKET} bytes."
            yield wrong(path, address, "a socket that can be opened", remedy)
        if spec.ports:
            yield clash(path, f"{path} is a Unix socket, which has no ports", "Remove ports.")
    elif not is_ip(address) and not (allow_hostname and is_hostname(address)):
        what = "an IP address or a host name" if allow_hostname else "an IP address"
        remedy = "Correct it." if allow_hostname else "Use an address, or resolution DNS."
        yield wrong(path, address, what, remedy)
