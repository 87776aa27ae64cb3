"""Which of the kinds that we read the API server serves, told once, with what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
import structlog

from serai.api.kinds import KINDS, Kind
from serai.api.problem import Problem

log = structlog.get_logger(__name__)

_RELEASES = "https://github.com/kubernetes-sigs/gateway-api/releases/download/v1.6.0"
_APPLY = "kubectl apply --server-side -f"


class Api(msgspec.Struct, frozen=True):
    """Kinds that are installed together."""

    name: str
    groups: frozenset[str]
    install: str
    """The command for it."""
    required: frozenset[str] = frozenset()
    """The kinds without which nothing can be served."""


APIS = (
    Api(
        "the Gateway API",
        frozenset({"gateway.networking.k8s.io"}),
        f"{_APPLY} {_RELEASES}/standard-install.yaml",
        frozenset({"GatewayClass", "Gateway", "HTTPRoute", "ReferenceGrant"}),
    ),
    Api(
        "the Gateway API's experiments",
        frozenset({"gateway.networking.x-k8s.io"}),
        f"{_APPLY} {_RELEASES}/experimental-install.yaml",
    ),
    Api(
        "Istio",
        frozenset({"networking.istio.io", "security.istio.io"}),
        "helm install istio-base istio/base -n istio-system --create-namespace",
    ),
    Api(
        "kgateway",
        frozenset({"gateway.kgateway.dev"}),
        "helm install kgateway-crds oci://cr.kgateway.dev/kgateway-dev/charts/kgateway-crds",
    ),
)


class Definitions:
    """What is missing now."""

    def __init__(self, versions: Callable[[str], tuple[str, ...]]) -> None:
        """`versions` are those in which a kind is served, as far as that is known."""
        self._versions = versions
        self._absent: frozenset[str] | None = None
        self._problems: tuple[Problem, ...] = ()

    def look(self, absent: Iterable[str]) -> None:
        """These kinds are not served, or in no version that we read; logs what is new of it."""
        now = frozenset(absent)
        if now == self._absent:
            return
        before, self._absent = self._absent, now
        self._problems = tuple(found for api in APIS for found in self._of(api, now))
        for api in APIS:
            self._log(api, before, now)

    def problems(self) -> tuple[Problem, ...]:
        """What is required and missing, and what is served in other versions only."""
        return self._problems

    def served(self) -> tuple[tuple[str, bool], ...]:
        """Of each kind, whether it is served; nothing before that is known."""
        absent = self._absent
        return () if absent is None else tuple((k.name, k.name not in absent) for k in KINDS)

    def lacks(self) -> str:
        """What is required and missing, in a sentence; empty if nothing is."""
        return "; ".join(each.message for each in self._problems if each.code == "SER1202")

    def _of(self, api: Api, absent: frozenset[str]) -> Iterable[Problem]:
        kinds = [each for each in KINDS if each.group in api.groups and each.name in absent]
        missing = [each.name for each in kinds if each.name in api.required]
        if missing:
            message = f"{api.name} is not installed, so nothing can be served: {_list(missing)}"
            yield Problem("SER1202", "error", message, f"{api.install}")
        for kind in kinds:
            if others := self._versions(kind.name):
                yield _of_other_versions(kind, others)

    def _log(self, api: Api, before: frozenset[str] | None, now: frozenset[str]) -> None:
        names = frozenset(each.name for each in KINDS if each.group in api.groups)
        missing, was = names & now, names & (before or frozenset())
        if missing - was or (before is None and missing):
            say = log.error if missing & api.required else log.info
            say("crds.missing", api=api.name, kinds=sorted(missing), install=api.install)
        if was - missing:
            log.info("crds.served", api=api.name, kinds=sorted(was - missing))


def _of_other_versions(kind: Kind, served: tuple[str, ...]) -> Problem:
    message = (
        f"{kind.name} is served as {_list(served)} only, and Serai reads {_list(kind.versions)}:"
        " no such object is used"
    )
    return Problem("SER1203", "warning", message, "Install CRDs that serve a version it reads.")


def _list(words: Iterable[str]) -> str:
    return ", ".join(words)
