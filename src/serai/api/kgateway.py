"""What kgateway's policy kinds have in common.  Group gateway.kgateway.dev."""

from __future__ import annotations

from serai.api.meta import Struct

GROUP = "gateway.kgateway.dev"


class PolicyTargetReference(Struct, frozen=True):
    """spec.targetRefs[]: an object of the policy's namespace, or a section of it."""

    kind: str
    name: str
    group: str = ""
    section_name: str | None = None


class PolicyTargetSelector(Struct, frozen=True):
    """spec.targetSelectors[]: objects of the policy's namespace, by their labels."""

    kind: str
    group: str = ""
    match_labels: dict[str, str] = {}
    section_name: str | None = None


class Nothing(Struct, frozen=True):
    """A field that is there or not, such as ``disable: {}``."""
