"""Label selectors, and which namespaces a listener admits."""

from __future__ import annotations

from collections.abc import Mapping

from serai.api.core import Namespace
from serai.api.gateway import ListenerNamespaces, RouteNamespaces
from serai.api.meta import Key, LabelSelector, LabelSelectorRequirement
from serai.incremental import Node, Reader

NAMESPACE_NAME = "kubernetes.io/metadata.name"


def matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether labels satisfy a selector; an empty selector takes everything."""
    exact = all(labels.get(name) == value for name, value in selector.match_labels.items())
    return exact and all(_satisfies(labels, each) for each in selector.match_expressions)


def _satisfies(labels: Mapping[str, str], requirement: LabelSelectorRequirement) -> bool:
    present = requirement.key in labels
    listed = labels.get(requirement.key) in requirement.values
    match requirement.operator:
        case "In":
            return present and listed
        case "NotIn":
            return not listed
        case "Exists":
            return present
        case "DoesNotExist":
            return not present


def namespace_labels(
    reader: Reader, namespaces: Node[Key, Namespace], name: str
) -> Mapping[str, str]:
    """A Namespace's labels, with the one an API server adds; a Namespace may go unwritten."""
    namespace = reader.get(namespaces, Key("Namespace", "", name))
    written = namespace.metadata.labels if namespace else {}
    return {**written, NAMESPACE_NAME: name}


def admits(
    reader: Reader,
    namespaces: Node[Key, Namespace],
    rule: RouteNamespaces | ListenerNamespaces,
    own: str,
    other: str,
) -> bool:
    """Whether what is in namespace `own` admits objects of namespace `other`.

    Gateway API: allowedRoutes.namespaces of a listener, allowedListeners.namespaces of a Gateway.
    """
    match rule.from_:
        case "All":
            return True
        case "Same":
            return own == other
        case "Selector":
            labels = namespace_labels(reader, namespaces, other)
            return rule.selector is not None and matches(rule.selector, labels)
        case "None":
            return False
