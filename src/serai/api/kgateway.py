"""What kgateway's policy kinds have in common.  Group gateway.kgateway.dev."""

from __future__ import annotations

from enum import StrEnum

from serai.api.meta import ObjectMeta, Struct

GROUP = "gateway.kgateway.dev"
WEIGHT = "kgateway.dev/policy-weight"
"""The annotation of policies that come before others at the same place, whichever is older."""
INHERITED = "kgateway.dev/inherited-policy-priority"
"""The annotation of Gateways that says how their routes inherit their policies."""
TRAFFIC_POLICY = "TrafficPolicy"
WEIGHED = frozenset(
    {"TrafficPolicy", "ListenerPolicy", "HTTPListenerPolicy", "BackendConfigPolicy"}
)


def weight(kind: str, metadata: ObjectMeta) -> int:
    """What a policy weighs; 0 where it does not say, and of policies that are not kgateway's."""
    written = metadata.annotations.get(WEIGHT, "")
    return int(written) if kind in WEIGHED and is_weight(written) else 0


class Inheritance(StrEnum):
    """Whose policies come first, and whether they merge where that is possible."""

    SHALLOW_CHILD = "ShallowMergePreferChild"
    SHALLOW_PARENT = "ShallowMergePreferParent"
    DEEP_CHILD = "DeepMergePreferChild"
    DEEP_PARENT = "DeepMergePreferParent"

    @property
    def prefers_parent(self) -> bool:
        """Whether policies of the Gateway come before those of its routes."""
        return self in {Inheritance.SHALLOW_PARENT, Inheritance.DEEP_PARENT}

    @property
    def is_deep(self) -> bool:
        """Whether fields that can be merged are."""
        return self in {Inheritance.DEEP_CHILD, Inheritance.DEEP_PARENT}


def inheritance(metadata: ObjectMeta) -> Inheritance | None:
    """What a Gateway says; None where it says nothing that is known."""
    written = metadata.annotations.get(INHERITED, "")
    return Inheritance(written) if written in set(Inheritance) else None


def is_weight(written: str) -> bool:
    """Whether a text is a whole number; it may be below 0."""
    number = written.removeprefix("-")
    return number.isascii() and number.isdecimal()


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
