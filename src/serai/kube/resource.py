"""What an API server serves: groups, versions, plurals and their paths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from serai.kube.wire import Name


class Resource(msgspec.Struct, frozen=True):
    """A kind in one version, as an API server has it in its paths."""

    group: str
    """Empty for Kubernetes' core."""
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """As an object has it in ``apiVersion``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, name: Name | None = None, subresource: str = "") -> str:
        """Of all objects of the kind, or of one; `name` without a name: of a namespace's."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        if name is not None and name.namespace:
            root += f"/namespaces/{name.namespace}"
        parts = [root, self.plural, name.name if name else "", subresource]
        return "/".join(part for part in parts if part)


class Served(msgspec.Struct, frozen=True):
    """A kind that is served in a version."""

    plural: str
    kind: str


class Discovery(msgspec.Struct, frozen=True):
    """All that an API server serves: by group and version, in its order of preference."""

    served: Mapping[tuple[str, str], tuple[Served, ...]]

    def find(self, group: str, plural: str, versions: Iterable[str]) -> Resource | None:
        """The kind in the first of these versions that is served; None if none is."""
        for version in versions:
            for each in self.served.get((group, version), ()):
                if each.plural == plural:
                    return Resource(group, version, plural, each.kind)
        return None

    def versions(self, group: str, plural: str) -> tuple[str, ...]:
        """The versions in which a kind is served."""
        return tuple(
            version
            for (other, version), kinds in self.served.items()
            if other == group and any(each.plural == plural for each in kinds)
        )


class _Response(msgspec.Struct):
    kind: str = ""


class _Entry(msgspec.Struct, rename="camel"):
    resource: str
    response_kind: _Response | None = None


class _Version(msgspec.Struct):
    version: str
    resources: list[_Entry] | None = None


class _Meta(msgspec.Struct):
    name: str = ""


class _Group(msgspec.Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)
    versions: list[_Version] | None = None


class _Groups(msgspec.Struct):
    items: list[_Group] | None = None


_GROUPS = msgspec.json.Decoder(_Groups)

AGGREGATED = "application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io"
"""What to accept for everything in two answers; every API server since 1.30 has it."""


def read_discovery(*answers: bytes) -> Discovery:
    """What the answers of ``/api`` and ``/apis`` say.  Raises msgspec.DecodeError."""
    served: dict[tuple[str, str], tuple[Served, ...]] = {}
    for answer in answers:
        for group in _GROUPS.decode(answer).items or ():
            for version in group.versions or ():
                kinds = tuple(_served(each) for each in version.resources or ())
                served[group.metadata.name, version.version] = kinds
    return Discovery(served)


def _served(entry: _Entry) -> Served:
    kind = entry.response_kind.kind if entry.response_kind else ""
    return Served(entry.resource, kind)
