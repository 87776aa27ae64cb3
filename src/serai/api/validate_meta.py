"""metadata as an API server would have it: names, namespaces, labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from serai.api.faults import unwise
from serai.api.fields_check import entry_path
from serai.api.kgateway import INHERITED, WEIGHED, WEIGHT, Inheritance, is_weight
from serai.api.kinds import Kind
from serai.api.problem import Problem
from serai.api.syntax import is_dns_label, is_label_key, is_label_value, is_subdomain

NAMING = {
    "label": (is_dns_label, "at most 63 of a-z, 0-9 and '-', with no '-' at either end"),
    "subdomain": (is_subdomain, "at most 253 of a-z, 0-9, '-' and '.', ends a letter or digit"),
}


def metadata_problems(metadata: object, kind: Kind) -> Iterator[Problem]:
    """What is wrong with an object's metadata, given as plain values; types are checked elsewhere.

    Source: Kubernetes, "Object Names and IDs" and "Labels and Selectors".
    """
    if not isinstance(metadata, dict):
        return
    yield from _name_problems(metadata.get("name"), kind)
    yield from _namespace_problems(metadata.get("namespace"), kind)
    yield from _label_problems(metadata)
    yield from _precedence_problems(metadata.get("annotations"), kind)


def _name_problems(name: object, kind: Kind) -> Iterator[Problem]:
    is_valid, rule = NAMING[kind.naming]
    if isinstance(name, str) and not is_valid(name):
        yield _error("metadata.name", f'metadata.name "{name[:80]}" is not a name', rule)


def _namespace_problems(namespace: object, kind: Kind) -> Iterator[Problem]:
    if not isinstance(namespace, str) or not namespace:
        return
    if not kind.namespaced:
        message = f"metadata.namespace is ignored: a {kind.name} belongs to no namespace"
        yield Problem("SER0012", "warning", message, "Remove it.", path="metadata.namespace")
    elif not is_dns_label(namespace):
        message = f'metadata.namespace "{namespace[:80]}" is not a namespace\'s name'
        yield _error("metadata.namespace", message, NAMING["label"][1])


def _precedence_problems(annotations: object, kind: Kind) -> Iterator[Problem]:
    yield from _inheritance_problems(annotations, kind)
    written = annotations.get(WEIGHT) if isinstance(annotations, dict) else None
    if isinstance(written, str) and kind.name in WEIGHED and not is_weight(written):
        path = entry_path("metadata.annotations", WEIGHT)
        message = f'the weight "{written[:120]}" is not a whole number, and counts as 0'
        yield unwise(path, message, 'Write one such as "10", or "-1".')


def _inheritance_problems(annotations: object, kind: Kind) -> Iterator[Problem]:
    if not isinstance(annotations, dict) or INHERITED not in annotations:
        return
    path, written = entry_path("metadata.annotations", INHERITED), annotations[INHERITED]
    if kind.name != "Gateway":
        message = f"the annotation is read on Gateways, and not on a {kind.name}"
        yield Problem("SER0007", "warning", message, "Remove it.", path=path)
    elif isinstance(written, str) and written not in set(Inheritance):
        message = f'"{written[:120]}" is not known, and counts as {Inheritance.SHALLOW_CHILD}'
        yield unwise(path, message, f"Write one of {', '.join(Inheritance)}.")
    elif isinstance(written, str) and Inheritance(written).is_deep:
        fields = "transformation, extAuth and extProc"
        message = f"only {fields} are merged deeply: of others the first policy says all"
        remedy = "Say all of the other fields in the policy that comes first."
        yield Problem("SER0007", "warning", message, remedy, path=path)


def _label_problems(metadata: dict[str, Any]) -> Iterator[Problem]:
    labels, annotations = metadata.get("labels"), metadata.get("annotations")
    if isinstance(labels, dict):
        for key, value in labels.items():
            path = entry_path("metadata.labels", key)
            if not is_label_key(str(key)):
                yield _error(path, f'"{str(key)[:120]}" is not a label\'s key', _KEY_RULE)
            if isinstance(value, str) and not is_label_value(value):
                yield _error(path, f'"{value[:120]}" is not a label\'s value', _VALUE_RULE)
    if isinstance(annotations, dict):
        for key in annotations:
            if not is_label_key(str(key)):
                path = entry_path("metadata.annotations", key)
                yield _error(path, f'"{str(key)[:120]}" is not an annotation\'s key', _KEY_RULE)


_VALUE_RULE = "at most 63 letters, digits, '-', '_' and '.', a letter or digit at both ends"
_KEY_RULE = f"{_VALUE_RULE}; before it may stand a DNS name and '/'"


def _error(path: str, message: str, rule: str) -> Problem:
    return Problem("SER0102", "error", message, f"Use {rule}.", path=path)
