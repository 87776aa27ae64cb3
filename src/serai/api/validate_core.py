"""What an API server refuses in Kubernetes' own kinds, where it matters for traffic."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator

from serai.api.core import ConfigMap, EndpointSlice, Pod, Secret, Service
from serai.api.faults import clash, port_faults, twice, value_faults, wrong
from serai.api.fields_check import entry_path
from serai.api.problem import Problem
from serai.api.rate_limit_config import LABEL, Wrong, parse
from serai.api.syntax import is_dns_label, is_hostname, is_ip, is_port_name, is_subdomain

_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")

ADDRESS_KINDS: dict[str, tuple[Callable[[str], bool], str]] = {
    "IPv4": (lambda text: is_ip(text) and ":" not in text, "an IPv4 address"),
    "IPv6": (lambda text: is_ip(text) and ":" in text, "an IPv6 address"),
    "FQDN": (is_hostname, "a host name"),
}


def check_service(service: Service) -> Iterator[Problem]:
    """Ports and addresses of a Service.  Source: Kubernetes API reference, ServiceSpec."""
    spec = service.spec
    yield from _service_ports(service)
    if spec.cluster_ip not in (None, "", "None") and not is_ip(str(spec.cluster_ip)):
        yield wrong("spec.clusterIP", spec.cluster_ip, "an IP address", "Use one, or None.")
    yield from value_faults(
        "spec.clusterIPs",
        spec.cluster_ips,
        lambda text: text in ("", "None") or is_ip(text),
        "an IP address",
        "Use one, or None.",
    )
    if spec.type == "ExternalName" and not is_subdomain((spec.external_name or "").rstrip(".")):
        path = "spec.externalName"
        yield wrong(path, spec.external_name or "", "a host name", "Name the host it stands for.")


def _service_ports(service: Service) -> Iterator[Problem]:
    ports = service.spec.ports
    for index, port in enumerate(ports):
        path = f"spec.ports[{index}]"
        yield from port_faults(f"{path}.port", port.port)
        if isinstance(port.target_port, int):
            yield from port_faults(f"{path}.targetPort", port.target_port)
        elif port.target_port is not None and not is_port_name(port.target_port):
            remedy = "Use a number, or the name of a container's port."
            yield wrong(f"{path}.targetPort", port.target_port, "a port", remedy)
        if port.name and not is_dns_label(port.name):
            yield wrong(f"{path}.name", port.name, "a name", "Use a-z, 0-9 and '-'.")
        if not port.name and len(ports) > 1:
            message = f"{path} has no name, and there are {len(ports)} ports"
            yield clash(f"{path}.name", message, "Name every port.")
    yield from twice("spec.ports", [port.name for port in ports], ".name", "name")
    numbers = [f"{port.port}/{port.protocol}" for port in ports]
    yield from twice("spec.ports", numbers, ".port", "port")


def check_slice(endpoint_slice: EndpointSlice) -> Iterator[Problem]:
    """Addresses and ports of an EndpointSlice.  Source: Kubernetes API reference."""
    is_valid, what = ADDRESS_KINDS[endpoint_slice.address_type]
    for index, endpoint in enumerate(endpoint_slice.endpoints):
        path = f"endpoints[{index}].addresses"
        remedy = f"addressType is {endpoint_slice.address_type}."
        yield from value_faults(path, endpoint.addresses, is_valid, what, remedy)
        if not endpoint.addresses:
            yield clash(path, f"{path} is empty", "Give one address.")
    for index, port in enumerate(endpoint_slice.ports):
        yield from port_faults(f"ports[{index}].port", port.port)
    names = [port.name for port in endpoint_slice.ports]
    yield from twice("ports", names, ".name", "name")


def check_pod(pod: Pod) -> Iterator[Problem]:
    """Ports and addresses of a Pod."""
    for index, container in enumerate(pod.spec.containers):
        for number, port in enumerate(container.ports):
            path = f"spec.containers[{index}].ports[{number}]"
            yield from port_faults(f"{path}.containerPort", port.container_port)
            if port.name and not is_port_name(port.name):
                remedy = "Use at most 15 of a-z, 0-9 and '-', with a letter."
                yield wrong(f"{path}.name", port.name, "a port's name", remedy)
    addresses = [pod_ip.ip for pod_ip in pod.status.pod_ips]
    yield from value_faults("status.podIPs", addresses, is_ip, "an IP address", "Correct it.")
    if pod.status.pod_ip and not is_ip(pod.status.pod_ip):
        yield wrong("status.podIP", pod.status.pod_ip, "an IP address", "Correct it.")


def check_secret(secret: Secret) -> Iterator[Problem]:
    """Keys and encoding of a Secret; its values are named nowhere."""
    yield from _data_keys("data", secret.data)
    yield from _data_keys("stringData", secret.string_data)
    yield from _base64("data", secret.data)


def check_config_map(config_map: ConfigMap) -> Iterator[Problem]:
    """Keys and encoding of a ConfigMap, and what it says of rate limits."""
    yield from _data_keys("data", config_map.data)
    yield from _data_keys("binaryData", config_map.binary_data)
    yield from _base64("binaryData", config_map.binary_data)
    if config_map.metadata.labels.get(LABEL) == "true":
        for name, text in config_map.data.items():
            found = parse(text)
            if isinstance(found, Wrong):
                where = f"{found.path} " if found.path else ""
                message = f"{name} has limits that cannot be used: {where}{found.message}"
                remedy = f"Correct it, or take the label {LABEL} away."
                path = entry_path("data", name)
                yield Problem("SER1501", "error", message, remedy, path=path)


def _data_keys(path: str, data: dict[str, str]) -> Iterator[Problem]:
    for key in data:
        if not _DATA_KEY.fullmatch(key):
            yield wrong(entry_path(path, key), key, "a key", "Use letters, digits, '-', '_', '.'.")


def _base64(path: str, data: dict[str, str]) -> Iterator[Problem]:
    for key, value in data.items():
        try:
            base64.b64decode("".join(value.split()), validate=True)
        except (binascii.Error, ValueError):
            here = entry_path(path, key)
            remedy = "Encode it, or write it as it is in stringData."
            yield clash(here, f"{here} is not base64", remedy)
