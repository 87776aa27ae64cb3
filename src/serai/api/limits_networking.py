"""How much of each thing Istio takes of ServiceEntry and WorkloadEntry, as its CRDs say."""

from __future__ import annotations

from collections.abc import Iterator, Sized

from serai.api.faults import VALUE
from serai.api.networking import ServiceEntrySpec, WorkloadEntrySpec
from serai.api.problem import Problem

_MOST = {"hosts": 256, "addresses": 256, "ports": 256, "endpoints": 4096}
_MOST_OF_WORKLOAD = (
    ("ports", "ports", 128, "entries"),
    ("labels", "labels", 256, "entries"),
    ("address", "address", 256, "characters"),
    ("network", "network", 2048, "characters"),
    ("locality", "locality", 2048, "characters"),
    ("serviceAccount", "service_account", 253, "characters"),
)
_LONGEST_RANGE = 64


def entry_limits(spec: ServiceEntrySpec) -> Iterator[Problem]:
    """Lists of a ServiceEntry that are too long, and addresses that are."""
    for field, most in _MOST.items():
        yield from _over(f"spec.{field}", getattr(spec, field), most, "entries")
    for index, address in enumerate(spec.addresses):
        yield from _over(f"spec.addresses[{index}]", address, _LONGEST_RANGE, "characters")


def workload_limits(path: str, spec: WorkloadEntrySpec) -> Iterator[Problem]:
    """What is too long in a WorkloadEntry, or in an endpoint of a ServiceEntry, at `path`."""
    for name, field, most, what in _MOST_OF_WORKLOAD:
        value = getattr(spec, field)
        if len(value) > most:  # most are not, and need no path
            yield from _over(f"{path}.{name}", value, most, what)


def _over(path: str, value: Sized, most: int, what: str) -> Iterator[Problem]:
    if len(value) > most:
        message = f"{path} has {len(value)} {what}; at most {most} are taken"
        yield Problem(VALUE, "error", message, f"Keep it to {most}.", path=path)
