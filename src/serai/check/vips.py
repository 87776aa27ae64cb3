"""SER05: ranges of VIPs that have none left."""

from __future__ import annotations

from collections.abc import Iterator

from serai.api.meta import Key
from serai.api.problem import Problem
from serai.check.problems import ProblemKey, keyed
from serai.incremental import Derived, Graph, Node, Reader
from serai.model.vips import Vips


def vip_problems(graph: Graph, allocated: Node[Key, Vips]) -> Derived[ProblemKey, Problem]:
    """Objects that were to get VIPs and did not."""

    def rows(_: Reader, key: Key, vips: Vips) -> Iterator[tuple[ProblemKey, Problem]]:
        for cidr in dict.fromkeys(cidr for _, cidr in vips.lacking):
            hosts = [host for host, range_ in vips.lacking if range_ == cidr and host]
            yield keyed(_exhausted(key, cidr, hosts))

    return Derived(graph, "problems of VIPs", allocated, rows)


def _exhausted(key: Key, cidr: str, hosts: list[str]) -> Problem:
    whom = f" for {', '.join(hosts[:3])}{' and others' if len(hosts) > 3 else ''}" if hosts else ""  # noqa: PLR2004
    flag = "--vip-range-v6" if ":" in cidr else "--vip-range-v4"
    own = "spec.addresses" if key.kind == "ServiceEntry" else "spec.clusterIP"
    return Problem(
        code="SER0511",
        severity="error",
        message=f"no address is left in {cidr}{whom}; clients cannot reach it by one of that range",
        remedy=f"Widen the range ({flag}), remove what is not needed, or give it {own} of its own.",
        key=key,
        path=cidr,
    )
