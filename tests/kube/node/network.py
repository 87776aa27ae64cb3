"""Network namespaces of Pods, and addresses that lead to them."""

from __future__ import annotations

import subprocess
from pathlib import Path

GATEWAY = "169.254.77.1"
"""The node's own address towards every Pod; link-local, so nobody else's."""


class Network:
    """Pods' namespaces on this machine; all of them go with `close`."""

    def __init__(self, name: str, pods: str, services: str) -> None:
        """`pods` and `services` are the first two bytes of their addresses, as in ``10.97``."""
        self._name = name
        self._pods, self._services = pods, services
        self._count = 0
        self._spaces: set[str] = set()
        self._leads: dict[str, str] = {}

    def add(self) -> tuple[str, str]:
        """A namespace for one more Pod, and the Pod's address."""
        self._count += 1
        space, link = f"{self._name}-{self._count}", f"{self._name}.{self._count}"
        address = f"{self._pods}.{self._count // 250}.{self._count % 250 + 1}"
        self._spaces.add(space)
        _run("ip", "netns", "add", space)
        _run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", space)
        _run("ip", "addr", "add", f"{GATEWAY}/32", "dev", link)
        _run("ip", "link", "set", link, "up")
        _run("ip", "route", "add", f"{address}/32", "dev", link)
        _run("ip", "-n", space, "addr", "add", f"{address}/32", "dev", "eth0")
        for device in ("lo", "eth0"):
            _run("ip", "-n", space, "link", "set", device, "up")
        _run("ip", "-n", space, "route", "add", f"{GATEWAY}/32", "dev", "eth0")
        _run("ip", "-n", space, "route", "add", "default", "via", GATEWAY)
        return space, address

    def service(self, number: int) -> str:
        """An address for a load balancer."""
        return f"{self._services}.{number // 250}.{number % 250 + 1}"

    def balances(self, address: str) -> bool:
        """Whether a load balancer can have an address."""
        return address.startswith(f"{self._services}.")

    def set(self, space: str, sysctl: str, value: str) -> None:
        """Set what a Pod's security context asks for."""
        path = "/proc/sys/" + sysctl.replace(".", "/")
        _run("ip", "netns", "exec", space, "sh", "-c", f"echo {value} > {path}")

    def lead(self, service: str, space: str, pod: str) -> None:
        """Have the address of a Service lead to a Pod from now on."""
        if self._leads.get(service) == space:
            return
        self._leads[service] = space
        _run("ip", "-n", space, "addr", "replace", f"{service}/32", "dev", "lo")
        _run(
            "ip",
            "route",
            "replace",
            f"{service}/32",
            "via",
            pod,
            "onlink",
            "dev",
            self._link(space),
        )

    def remove(self, space: str) -> None:
        """A Pod is gone."""
        self._spaces.discard(space)
        self._leads = {service: to for service, to in self._leads.items() if to != space}
        subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True)

    def close(self) -> None:
        """All Pods are gone."""
        for space in list(self._spaces):
            self.remove(space)

    def _link(self, space: str) -> str:
        return f"{self._name}.{space.rpartition('-')[2]}"


def path_of(space: str) -> Path:
    """The file that stands for a namespace."""
    return Path("/run/netns") / space


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=10)
